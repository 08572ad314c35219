// SPDX-License-Identifier: GPL-2.0
/*
 * The front's keys and lamps on the lines of gpio-sim's chip "front", for a machine without a device
 * tree: lines 0 to 7 are keys of the kernel's gpio-keys, KEY_F1 and on, pressed when high; from line 8
 * on hang the lamps, as leds-gpio's "front:NAME". A test module for the guest, not part of the firmware.
 */
#include <linux/gpio/driver.h>
#include <linux/gpio_keys.h>
#include <linux/input.h>
#include <linux/leds.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#define KEYS 8

static const char *const lamps[] = { "on_air", "on_air_white", "backup", "audio", "slate", "next", "ack",
				     "alarm_red", "tally_red", "tally_out", "buzzer" };
static char names[ARRAY_SIZE(lamps)][24];
static struct gpio_keys_button keys[KEYS];
static struct gpio_led leds[ARRAY_SIZE(lamps)];
static struct platform_device *key_device, *led_device;

static int is_front(struct gpio_chip *chip, void *unused)
{
	return chip->label && !strcmp(chip->label, "front");
}

static int __init begin(void)
{
	struct gpio_keys_platform_data key_data = { .buttons = keys, .nbuttons = KEYS, .name = "front-keys" };
	struct gpio_led_platform_data led_data = { .leds = leds, .num_leds = ARRAY_SIZE(lamps) };
	struct gpio_chip *chip = gpiochip_find(NULL, is_front);
	int n;

	if (!chip)
		return -ENODEV;
	for (n = 0; n < KEYS; n++) {
		keys[n].code = KEY_F1 + n;
		keys[n].gpio = chip->base + n;
		keys[n].type = EV_KEY;
		keys[n].desc = "front key";
		keys[n].debounce_interval = 5;
	}
	for (n = 0; n < ARRAY_SIZE(lamps); n++) {
		snprintf(names[n], sizeof(names[n]), "front:%s", lamps[n]);
		leds[n].name = names[n];
		leds[n].gpio = chip->base + KEYS + n;
	}
	key_device = platform_device_register_data(NULL, "gpio-keys", 0, &key_data, sizeof(key_data));
	if (IS_ERR(key_device))
		return PTR_ERR(key_device);
	led_device = platform_device_register_data(NULL, "leds-gpio", 0, &led_data, sizeof(led_data));
	if (IS_ERR(led_device)) {
		platform_device_unregister(key_device);
		return PTR_ERR(led_device);
	}
	return 0;
}

static void __exit finish(void)
{
	platform_device_unregister(led_device);
	platform_device_unregister(key_device);
}

module_init(begin);
module_exit(finish);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Keys and lamps of a front panel on simulated lines");
