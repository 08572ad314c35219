// SPDX-License-Identifier: GPL-2.0
/*
 * An I2C bus with a display at 0x3c that remembers: every message written to it is kept in order in
 * debugfs, panel-sim/journal, as { u16 length, bytes } in the machine's own byte order. Other
 * addresses answer as an empty bus does, and so does the display while the parameter `pulled` is set:
 * then its cable is out. A test module for the guest, not part of the firmware.
 */
#include <linux/debugfs.h>
#include <linux/i2c.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/vmalloc.h>

#define DISPLAY 0x3c
#define ROOM (8 << 20)

static bool pulled;
module_param(pulled, bool, 0644);
MODULE_PARM_DESC(pulled, "the display's cable is out");

static DEFINE_MUTEX(guard);
static struct debugfs_blob_wrapper kept;
static struct dentry *folder;

static int transfer(struct i2c_adapter *bus, struct i2c_msg *messages, int count)
{
	int n;

	mutex_lock(&guard);
	for (n = 0; n < count; n++) {
		struct i2c_msg *m = &messages[n];
		u8 *end = (u8 *)kept.data + kept.size;

		if (m->addr != DISPLAY || pulled) {
			mutex_unlock(&guard);
			return -ENXIO;
		}
		if (m->flags & I2C_M_RD) {
			memset(m->buf, 0, m->len);
		} else if (kept.size + sizeof(m->len) + m->len <= ROOM) {
			memcpy(end, &m->len, sizeof(m->len));
			memcpy(end + sizeof(m->len), m->buf, m->len);
			kept.size += sizeof(m->len) + m->len;
		}
	}
	mutex_unlock(&guard);
	return count;
}

static u32 abilities(struct i2c_adapter *bus)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm way = { .master_xfer = transfer, .functionality = abilities };
static struct i2c_adapter bus = { .owner = THIS_MODULE, .name = "panel-sim", .algo = &way };

static int __init begin(void)
{
	int failed;

	kept.data = vzalloc(ROOM);
	if (!kept.data)
		return -ENOMEM;
	failed = i2c_add_adapter(&bus);
	if (failed) {
		vfree(kept.data);
		return failed;
	}
	folder = debugfs_create_dir("panel-sim", NULL);
	debugfs_create_blob("journal", 0400, folder, &kept);
	return 0;
}

static void __exit finish(void)
{
	debugfs_remove_recursive(folder);
	i2c_del_adapter(&bus);
	vfree(kept.data);
}

module_init(begin);
module_exit(finish);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("I2C bus with a display that remembers what was written to it");
