# nooelint: oelint.var.mandatoryvar.HOMEPAGE,oelint.var.suggestedvar.BUGTRACKER,oelint.var.bbclassextend
# the project has no public page or tracker yet, and is built for the target alone
SUMMARY = "Firmware of a portable live box"
DESCRIPTION = "Cameras and mixer in, one encode, bonded SRT over every uplink out"
SECTION = "multimedia"
CVE_PRODUCT = "livebox"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "\
    file://LICENSE-MIT;md5=e46b972bb8496e26f57f97ee97477cca \
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
"

require livebox-crates.inc

DEPENDS += "\
    alsa-lib \
    clang-native \
    gstreamer1.0 \
    gstreamer1.0-plugins-base \
"

inherit cargo cargo-update-recipe-crates externalsrc pkgconfig systemd useradd

# the layer lies in the project's own tree, and builds that tree: units, settings and boards have no second copy
EXTERNALSRC = "${THISDIR}/../../.."

# v4l's bindings are made at build time, for the target and not for the machine that builds
export LIBCLANG_PATH = "${STAGING_LIBDIR_NATIVE}"
export BINDGEN_EXTRA_CLANG_ARGS = "--sysroot=${STAGING_DIR_TARGET} --target=${TARGET_SYS}"

# the board profile that the image ships as /etc/livebox/board
LIVEBOX_BOARD ?= "devkit"

do_install:append() {
    install -d ${D}${systemd_system_unitdir}
    install -m 0644 ${S}/systemd/livebox.service ${D}${systemd_system_unitdir}/
    install -m 0644 ${S}/systemd/livebox-panel.service ${D}${systemd_system_unitdir}/
    install -m 0644 ${S}/systemd/livebox-gateway.service ${D}${systemd_system_unitdir}/
    install -D -m 0644 ${S}/systemd/livebox.sysusers ${D}${nonarch_libdir}/sysusers.d/livebox.conf
    install -D -m 0644 ${S}/systemd/livebox.rules ${D}${nonarch_base_libdir}/udev/rules.d/70-livebox.rules
    install -D -m 0644 ${S}/systemd/livebox.tmpfiles ${D}${nonarch_libdir}/tmpfiles.d/livebox.conf

    install -D -m 0644 ${S}/config/livebox.toml ${D}${sysconfdir}/livebox/livebox.toml
    install -D -m 0644 ${S}/config/gateway.toml ${D}${sysconfdir}/livebox/gateway.toml
    install -d ${D}${sysconfdir}/livebox/board
    install -m 0644 ${S}/board/${LIVEBOX_BOARD}/* ${D}${sysconfdir}/livebox/board/
    install -D -m 0644 ${S}/README.md ${D}${docdir}/livebox/README.md
}

PACKAGES =+ "${PN}-gateway"

SYSTEMD_PACKAGES = "${PN} ${PN}-gateway"
SYSTEMD_SERVICE:${PN} = "livebox.service livebox-panel.service"
SYSTEMD_SERVICE:${PN}-gateway = "livebox-gateway.service"
SYSTEMD_AUTO_ENABLE:${PN}-gateway = "disable"

USERADD_PACKAGES = "${PN}"
# the buses and lines of the front; its rules give them to these groups
GROUPADD_PARAM:${PN} = "--system i2c; --system spi; --system gpio"
USERADD_PARAM:${PN} = "--system --home-dir ${localstatedir}/lib/livebox --no-create-home --shell /sbin/nologin --user-group --groups video,audio,input,i2c,spi,gpio livebox"

FILES:${PN} += "\
    ${nonarch_base_libdir}/udev/rules.d \
    ${nonarch_libdir}/sysusers.d \
    ${nonarch_libdir}/tmpfiles.d \
"
FILES:${PN}-gateway += "${sysconfdir}/livebox/gateway.toml"

CONFFILES:${PN} = "${sysconfdir}/livebox/livebox.toml"
CONFFILES:${PN}-gateway += "${sysconfdir}/livebox/gateway.toml"

RDEPENDS:${PN} += "\
    gstreamer1.0-libav \
    gstreamer1.0-plugins-bad \
    gstreamer1.0-plugins-base \
    gstreamer1.0-plugins-good \
    gstreamer1.0-plugins-ugly \
"
RDEPENDS:${PN}-gateway += "${PN}"
