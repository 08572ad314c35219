//! Every alarm: severity, words, and what to do.
//!
//! A sentence carries its subject (a slot, a source, a part) and a detail (the interface, the
//! device's own words), so that whoever reads it knows which cable to take in hand.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lang::Text;

/// How grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The programme is harmed.
    Critical,
    /// The next fault harms it.
    Major,
    /// Something is missing that the event may need.
    Minor,
    /// Worth knowing.
    Warning,
}

/// Which alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// A source of the board gives nothing.
    SourceLost,
    /// An uplink of the board is not there, or has no carrier or address.
    UplinkDown,
    /// An uplink has no default route.
    NoDefaultRoute,
    /// The far end does not answer on this link, though the kernel says it is up.
    LinkSilent,
    /// No link reaches the far end.
    NoLinks,
    /// The SRT session is not open while on air.
    OutputClosed,
    /// The gateway does not tell any more what it hears.
    EchoSilent,
    /// A destination behind the gateway is not open, or too slow.
    DestinationDown,
    /// The links carry less than the programme needs at its least.
    RateShort,
    /// The broker is away.
    BrokerLost,
    /// The panel is gone.
    PanelLost,
    /// New settings were refused.
    ConfigRejected,
    /// A part failed and is started again.
    PartFailed,
    /// Disk nearly full.
    DiskLow,
    /// Too hot.
    TooHot,
    /// Nothing is recorded: the disk is full.
    RecordDiskFull,
    /// Nothing is recorded: the folder cannot be written.
    RecordFailed,
    /// The disk of the recordings is too slow.
    RecordGap,
    /// Recordings were deleted to make room.
    RecordRemoved,
    /// The agenda has faults.
    AgendaWrong,
    /// A picture is black.
    PictureBlack,
    /// A picture stands still that should not.
    PictureFrozen,
    /// A source gives one colour, or the encoder nothing.
    PictureNoSignal,
    /// A picture has another shape, size or rate than the programme.
    PictureFormat,
    /// The encoder's picture is not the one that it was given.
    PictureDamaged,
    /// A slate's file cannot be used.
    SlateUnusable,
    /// The noise of a mixer line is gone.
    LineUnplugged,
    /// A mixer line is silent while it should not be.
    LineSilent,
    /// One channel of a mixer line is dead.
    LineDeadChannel,
    /// A mixer line is cut off at full scale.
    LineClipping,
    /// A mixer line has an offset.
    LineOffset,
    /// A mixer line hums.
    LineHum,
    /// A mixer line carries a microphone's level.
    LineMicLevel,
    /// One channel of a mixer line is upside down.
    LinePolarity,
    /// A mixer line howls.
    LineHowl,
    /// A mixer line loses samples.
    LineGlitches,
    /// The programme went to this mixer line by itself.
    LineSwitched,
    /// No destination of an output takes it.
    OutputDown,
    /// An output's preferred destination fails; another one has taken over.
    OutputElsewhere,
    /// An encoder was refused by its driver, or stood still.
    EncoderRefused,
    /// Something was taken back so that what matters more goes on.
    Reduced,
    /// An output cannot be held back: the disk does not take it.
    HoldFailed,
}

impl AlarmKind {
    /// All of them, in the order of the catalog.
    pub const ALL: [Self; 42] = [
        Self::SourceLost,
        Self::UplinkDown,
        Self::NoDefaultRoute,
        Self::LinkSilent,
        Self::NoLinks,
        Self::OutputClosed,
        Self::EchoSilent,
        Self::DestinationDown,
        Self::RateShort,
        Self::BrokerLost,
        Self::PanelLost,
        Self::ConfigRejected,
        Self::PartFailed,
        Self::DiskLow,
        Self::TooHot,
        Self::RecordDiskFull,
        Self::RecordFailed,
        Self::RecordGap,
        Self::RecordRemoved,
        Self::AgendaWrong,
        Self::PictureBlack,
        Self::PictureFrozen,
        Self::PictureNoSignal,
        Self::PictureFormat,
        Self::PictureDamaged,
        Self::SlateUnusable,
        Self::LineUnplugged,
        Self::LineSilent,
        Self::LineDeadChannel,
        Self::LineClipping,
        Self::LineOffset,
        Self::LineHum,
        Self::LineMicLevel,
        Self::LinePolarity,
        Self::LineHowl,
        Self::LineGlitches,
        Self::LineSwitched,
        Self::OutputDown,
        Self::OutputElsewhere,
        Self::EncoderRefused,
        Self::Reduced,
        Self::HoldFailed,
    ];

    /// How grave it is, on air or not.
    #[must_use]
    pub const fn severity(self, on_air: bool) -> Severity {
        match self {
            Self::NoLinks | Self::OutputClosed | Self::RateShort if on_air => Severity::Critical,
            Self::SourceLost | Self::PartFailed | Self::EchoSilent | Self::DestinationDown if on_air => Severity::Major,
            Self::RecordDiskFull | Self::RecordFailed | Self::OutputDown | Self::EncoderRefused | Self::HoldFailed => {
                Severity::Major
            }
            Self::PictureBlack | Self::PictureFrozen | Self::PictureNoSignal | Self::PictureDamaged if on_air => {
                Severity::Major
            }
            Self::PictureBlack | Self::PictureFrozen | Self::PictureNoSignal | Self::PictureDamaged => Severity::Minor,
            Self::PictureFormat | Self::SlateUnusable => Severity::Warning,
            Self::LineUnplugged
            | Self::LineSilent
            | Self::LineClipping
            | Self::LineHum
            | Self::LineMicLevel
            | Self::LineHowl
            | Self::LineGlitches
                if on_air =>
            {
                Severity::Major
            }
            Self::LineUnplugged
            | Self::LineSilent
            | Self::LineClipping
            | Self::LineHum
            | Self::LineMicLevel
            | Self::LineHowl
            | Self::LineGlitches
            | Self::LineSwitched => Severity::Minor,
            // the box makes these right by itself
            Self::LineDeadChannel | Self::LineOffset | Self::LinePolarity => Severity::Warning,
            Self::RecordGap | Self::OutputElsewhere | Self::Reduced => Severity::Minor,
            Self::RecordRemoved | Self::AgendaWrong => Severity::Warning,
            Self::NoLinks | Self::OutputClosed | Self::RateShort | Self::PartFailed | Self::DiskLow | Self::TooHot => {
                Severity::Major
            }
            Self::SourceLost | Self::UplinkDown | Self::NoDefaultRoute | Self::LinkSilent => Severity::Minor,
            Self::EchoSilent | Self::DestinationDown => Severity::Minor,
            Self::BrokerLost | Self::PanelLost | Self::ConfigRejected => Severity::Warning,
        }
    }

    /// How long it must stand before it is raised, and be gone before it is cleared.
    #[must_use]
    pub const fn dwell(self) -> (Duration, Duration) {
        let (raise, clear) = match self {
            // the slate is on air within 200 ms; a blink that heals itself is no alarm
            Self::SourceLost | Self::UplinkDown => (1000, 2000),
            // DHCP brings the address before the route
            Self::NoDefaultRoute => (3000, 1000),
            // a registration takes up to five seconds in the field's receivers
            Self::LinkSilent => (6000, 3000),
            Self::NoLinks => (500, 1000),
            Self::OutputClosed => (500, 1000),
            // told once a second, and not told while there is nothing to tell of: patience is the judge's
            Self::EchoSilent => (0, 1000),
            // a session that was refused is tried again within a second or two
            Self::DestinationDown => (4000, 2000),
            // media has tried every destination by then
            Self::OutputDown | Self::OutputElsewhere => (1000, 2000),
            Self::EncoderRefused | Self::Reduced | Self::HoldFailed => (0, 0),
            // the engine's safe rate starts low and doubles in five seconds
            Self::RateShort => (5000, 5000),
            Self::BrokerLost => (3000, 1000),
            Self::PanelLost => (1000, 2000),
            Self::ConfigRejected | Self::AgendaWrong | Self::LineSwitched => (0, 0),
            // the detectors have weighed their evidence, and let go of it slowly
            Self::PictureBlack
            | Self::PictureFrozen
            | Self::PictureNoSignal
            | Self::PictureFormat
            | Self::PictureDamaged
            | Self::SlateUnusable
            | Self::LineUnplugged
            | Self::LineSilent
            | Self::LineDeadChannel
            | Self::LineClipping
            | Self::LineOffset
            | Self::LineHum
            | Self::LineMicLevel
            | Self::LinePolarity
            | Self::LineHowl
            | Self::LineGlitches => (0, 1000),
            // the recorder has tried, and says so; what it says later takes it back
            Self::RecordDiskFull | Self::RecordFailed | Self::RecordGap | Self::RecordRemoved => (0, 2000),
            // a part that lives so long after a start is taken as mended
            Self::PartFailed => (0, 10_000),
            Self::DiskLow | Self::TooHot => (10_000, 30_000),
        };
        (Duration::from_millis(raise), Duration::from_millis(clear))
    }

    /// What is wrong.
    #[must_use]
    pub fn text(self, subject: &str, detail: &Text) -> Text {
        let name = spoken(subject);
        let (zh, en) = (&name.zh, &name.en);
        let interface = &detail.en;
        let (zh, en) = match self {
            Self::SourceLost => (format!("{zh}无信号"), format!("{en} gives nothing")),
            Self::UplinkDown => (format!("上行链路 {zh} 断开"), format!("uplink {en} is down")),
            Self::NoDefaultRoute => (
                format!("上行链路 {zh}（{interface}）没有默认路由"),
                format!("uplink {en} ({interface}) has no default route"),
            ),
            Self::LinkSilent => (
                format!("上行链路 {zh} 已连通，但云端没有应答"),
                format!("uplink {en} is up, but the far end does not answer on it"),
            ),
            Self::NoLinks => ("没有任何链路可达云端".into(), "no link reaches the far end".into()),
            Self::OutputClosed => ("推流会话未建立".into(), "the SRT session is not open".into()),
            Self::EchoSilent => {
                ("云端没有回报收到的节目".into(), "the gateway does not tell what it hears of the programme".into())
            }
            Self::DestinationDown => (
                format!("云端到目的地 {zh} 的推流异常"),
                format!("the gateway's destination {en} does not take the programme"),
            ),
            Self::RateShort => ("链路带宽低于最低码率".into(), "the links carry less than the lowest bitrate".into()),
            Self::BrokerLost => ("与 MQTT 服务器断开".into(), "the MQTT broker is away".into()),
            Self::PanelLost => ("前面板无响应".into(), "the front panel does not answer".into()),
            Self::ConfigRejected => {
                ("新配置有误，已保留原配置".into(), "the new settings are wrong; the old ones stand".into())
            }
            Self::PartFailed => (format!("{zh}出现故障，正在自动重启"), format!("{en} failed and is started again")),
            Self::PictureBlack => (format!("{zh}黑屏"), format!("{en}: black picture")),
            Self::PictureFrozen => (format!("{zh}画面静止"), format!("{en}: the picture is frozen")),
            Self::PictureNoSignal if subject == "encoded" => {
                (format!("{zh}：编码器没有输出"), format!("{en}: the encoder gives no picture"))
            }
            Self::PictureNoSignal => {
                (format!("{zh}为单一颜色，可能没有信号"), format!("{en}: one colour, as without a signal"))
            }
            Self::PictureFormat => (format!("{zh}画面格式不符"), format!("{en}: wrong picture format")),
            Self::PictureDamaged => {
                (format!("{zh}：编码画面与输入不一致"), format!("{en}: the encoder does not give what it gets"))
            }
            Self::SlateUnusable => {
                (format!("{zh}文件无法使用，改用内置垫片"), format!("{en} cannot be used; a built-in slate stands in"))
            }
            Self::LineUnplugged => (
                format!("{zh}的底噪消失，可能线被拔出或在调音台被静音"),
                format!("{en} went dead: its lead was pulled, or it was muted at the mixer"),
            ),
            Self::LineSilent => (format!("{zh}没有声音"), format!("{en} is silent")),
            Self::LineDeadChannel => (
                format!("{zh}只有一个声道有声音，已同时送到左右声道"),
                format!("only one channel of {en} lives; it feeds both ears"),
            ),
            Self::LineClipping => (format!("{zh}过载削波"), format!("{en} clips")),
            Self::LineOffset => (
                format!("{zh}有直流偏移，已由高通滤波去除"),
                format!("{en} has a DC offset; the high-pass takes it away"),
            ),
            Self::LineHum => (format!("{zh}有 50 Hz 电流声"), format!("{en} hums at 50 Hz and its multiples")),
            Self::LineMicLevel => (
                format!("{zh}电平过低，像是话筒电平接入了线路输入"),
                format!("{en} is far too quiet, like a microphone in a line input"),
            ),
            Self::LinePolarity => (
                format!("{zh}左右声道极性相反，已自动纠正"),
                format!("one channel of {en} is upside down; it is turned"),
            ),
            Self::LineHowl => (format!("{zh}有啸叫"), format!("{en} howls")),
            Self::LineGlitches => {
                (format!("{zh}数字信号有断续或爆音"), format!("{en} loses samples: clicks and dropouts"))
            }
            Self::LineSwitched => (
                format!("另一路有故障，已自动切换到{zh}"),
                format!("the other line was at fault; the sound went to {en} by itself"),
            ),
            Self::OutputDown => (format!("{zh}没有送达任何目的地"), format!("no destination takes {en}")),
            Self::OutputElsewhere => (
                format!("{zh}的首选目的地异常，已改送备用目的地"),
                format!("{en} goes to another destination than the preferred one"),
            ),
            Self::EncoderRefused => (
                format!("{zh}的编码器异常，已重建或改用其他编码器"),
                format!("the encoder of {en} failed; it was made afresh or another one took over"),
            ),
            Self::Reduced => (format!("上行不足，已降级：{zh}"), format!("the uplinks are short: {en} was taken back")),
            Self::HoldFailed => {
                (format!("{zh}无法延播，已改为直出"), format!("{en} cannot be held back; it goes out live"))
            }
            Self::DiskLow => ("磁盘空间不足".into(), "the disk is nearly full".into()),
            Self::TooHot => ("设备温度过高".into(), "the box is too hot".into()),
            Self::RecordDiskFull => (
                "磁盘已满，录制已停止，直播不受影响".into(),
                "the disk is full, nothing is recorded; the live goes on".into(),
            ),
            Self::RecordFailed => {
                ("无法写入录像，直播不受影响".into(), "the recording cannot be written; the live goes on".into())
            }
            Self::RecordGap => {
                ("录像磁盘太慢，部分内容未录下".into(), "the disk is too slow, a part was not recorded".into())
            }
            Self::RecordRemoved => {
                ("空间不足，已删除最早的录像".into(), "the oldest recordings are deleted to make room".into())
            }
            Self::AgendaWrong => ("会议日程有误".into(), "the agenda has faults".into()),
        };
        // these name their detail in the sentence itself, or have none
        let quiet = matches!(self, Self::NoDefaultRoute | Self::LinkSilent | Self::NoLinks);
        if quiet || detail.is_empty() {
            Text::new(zh, en)
        } else {
            Text::new(format!("{zh}（{}）", detail.zh), format!("{en} ({})", detail.en))
        }
    }

    /// What to do.
    #[must_use]
    pub fn advice(self, subject: &str, detail: &Text) -> Text {
        let line = match subject {
            "mixer_b" => "B",
            "embedded" => "HDMI/SDI",
            _ => "A",
        };
        let interface = &detail.en;
        match self {
            Self::SourceLost if subject.starts_with("mixer") => Text::new(
                "检查调音台输出和音频线；必要时切换到另一路音频",
                "check the mixer's output and the lead; switch to the other line if needed",
            ),
            Self::SourceLost => Text::new(
                "检查该设备的电源、信号线和输出分辨率",
                "check the device's power, its lead and the resolution it puts out",
            ),
            Self::UplinkDown => Text::new(
                "检查网线或模块、SIM 卡和天线；其余链路继续工作",
                "check the cable, or the modem with its SIM and antenna; the other links carry on",
            ),
            Self::NoDefaultRoute => Text::new(
                format!(
                    "执行 nmcli device modify {interface} ipv4.never-default no ipv4.route-metric 700，或 ip route add default via <网关> dev {interface} metric 700；每个接口使用不同的 metric"
                ),
                format!(
                    "run nmcli device modify {interface} ipv4.never-default no ipv4.route-metric 700, or ip route add default via GATEWAY dev {interface} metric 700; every interface with a metric of its own"
                ),
            ),
            Self::LinkSilent => Text::new(
                "检查 SIM 卡流量、运营商信号，以及该链路上的防火墙是否放行 UDP",
                "check the SIM's data, the carrier, and whether a firewall on this way lets UDP through",
            ),
            Self::NoLinks => Text::new(
                "检查 media.destination 的地址和端口、域名能否解析、云端网关是否运行，以及防火墙",
                "check address and port in media.destination, whether the name server knows it, whether the gateway runs, and the firewall",
            ),
            Self::OutputClosed => Text::new(
                "检查接收端是否在监听，以及口令和 stream id 是否一致；本机会自动重试",
                "check that the receiver listens, and that passphrase and stream id agree; the box tries again by itself",
            ),
            Self::EchoSilent => Text::new(
                "检查云端网关是否运行正常，以及它的版本；节目本身可能仍然正常，请在接收端确认",
                "check that the gateway runs, and its version; the programme itself may be well, look at the receiving end",
            ),
            Self::DestinationDown => Text::new(
                "检查该目的地是否在接收，以及网关配置里的地址、口令和延迟；网关会自动重试",
                "check that the destination receives, and its address, passphrase and latency in the gateway's settings; the gateway tries again by itself",
            ),
            Self::RateShort => Text::new(
                "换到信号更好的位置、增加链路，或降低 media.bitrate_min",
                "move to better signal, add a link, or lower media.bitrate_min",
            ),
            Self::BrokerLost => Text::new(
                "直播不受影响；检查 mqtt 配置中的服务器地址和账号",
                "the programme is not touched; check the broker's address and the account in the mqtt settings",
            ),
            Self::PanelLost => Text::new(
                "直播不受影响；检查前面板排线，可用网页控制",
                "the programme is not touched; check the panel's ribbon cable, and use the web page meanwhile",
            ),
            Self::ConfigRejected => Text::new(
                "用 livebox check 查看全部错误，改正后重新加载",
                "see every fault with livebox check, mend them and reload",
            ),
            Self::PartFailed => Text::new(
                "若反复出现，请保存日志（journalctl -u livebox）并联系技术支持",
                "if it comes again, keep the log (journalctl -u livebox) and call support",
            ),
            Self::RecordDiskFull => Text::new(
                "用 livebox record copy 转存后删除旧录像，或更换磁盘；有空间后自动恢复录制",
                "copy recordings away (livebox record copy) and delete them, or change the disk; it goes on by itself when there is room",
            ),
            Self::RecordFailed => Text::new(
                "检查 record.folder 是否存在且可写、磁盘是否只读；本机会自动重试",
                "check that record.folder exists and may be written, and that the disk is not read-only; the box tries again by itself",
            ),
            Self::RecordGap => Text::new(
                "更换更快的磁盘或存储卡，或降低 media.bitrate_max",
                "use a faster disk or card, or lower media.bitrate_max",
            ),
            Self::RecordRemoved => Text::new(
                "尽快用 livebox record copy 转存；重要的录像用 livebox record protect 保护",
                "copy recordings away soon (livebox record copy); keep what matters with livebox record protect",
            ),
            Self::AgendaWrong => Text::new(
                "按提示改正日程文件并保存，无需重启；其余场次照常",
                "mend the agenda file as told and save it, no restart needed; the other talks go on",
            ),
            // what goes in is good: the box's own encoder is at fault
            Self::PictureBlack
            | Self::PictureFrozen
            | Self::PictureNoSignal
            | Self::PictureFormat
            | Self::PictureDamaged
                if subject == "encoded" =>
            {
                Text::new(
                    "输入画面正常，编码器有故障：停止后重新开始直播；若仍存在，在 board 配置的 encoders 中把 x264enc 放在首位",
                    "the pictures going in are good, the encoder is at fault: stop and start the live; if it stays, put x264enc first in the board's encoders",
                )
            }
            Self::PictureBlack => Text::new(
                "检查镜头盖、光圈，以及该设备是否处于待机或黑屏；必要时切到其他画面",
                "check the lens cap, the iris, and whether the device sleeps or shows black; show another source meanwhile",
            ),
            Self::PictureFrozen => Text::new(
                "重启该摄像机或采集设备，重新插拔信号线；期间切到其他画面",
                "restart the camera or the capture device and plug its lead in again; show another source meanwhile",
            ),
            Self::PictureNoSignal => Text::new(
                "采集设备没有收到信号：检查信号线和对方设备的输出，笔记本请按 Win+P 选择“复制”",
                "the capture device gets no signal: check the lead and the other device's output; on a laptop press Win+P and choose Duplicate",
            ),
            Self::PictureFormat => Text::new(
                "把该设备的输出设为 1920×1080、50 或 60 Hz、逐行",
                "set the device's output to 1920x1080, 50 or 60 Hz, progressive",
            ),
            Self::PictureDamaged => Text::new(
                "停止后重新开始直播；若反复出现，请保存日志并联系技术支持",
                "stop and start the live; if it comes again, keep the log and call support",
            ),
            Self::SlateUnusable => Text::new(
                "按提示改正 [slates] 中的文件或 sha256（用 sha256sum 计算），或改用 PNG、JPEG、MP4；重新加载配置后生效",
                "mend the file or its sha256 in [slates] as told (sha256sum prints it), or use PNG, JPEG or MP4; then reload the settings",
            ),
            Self::LineUnplugged => Text::new(
                "检查音频线两端的插头，以及调音台该路输出是否被静音",
                "push both plugs of the lead in, and see whether the mixer mutes that output",
            ),
            Self::LineSilent => Text::new(
                "检查调音台该路输出的推子、编组和音频线；另一路正常时可切换",
                "check the fader and the bus that feed this output, and the lead; use the other line meanwhile",
            ),
            Self::LineDeadChannel => Text::new(
                "检查另一根音频线和它的插头；直播声音不受影响",
                "check the other lead and its plug; the programme is not touched",
            ),
            Self::LineClipping => Text::new(
                "请音响师降低该路输出电平，直到峰值不超过 -6 dBFS",
                "ask the sound engineer to turn this output down until it peaks below -6 dBFS",
            ),
            Self::LineOffset => Text::new(
                "更换音频线或接口；若反复出现，请检修声卡",
                "try another lead or input; if it stays, have the sound card looked at",
            ),
            Self::LineHum => Text::new(
                format!("请在{line}路串入音频隔离器，并让调音台与本机使用同一电源插座"),
                format!("insert the isolator on line {line}, and power mixer and box from the same outlet"),
            ),
            Self::LineMicLevel => Text::new(
                "请音响师把该路改为线路电平输出；不要接话筒输出",
                "ask the sound engineer for line level on this output; do not plug in a microphone's",
            ),
            Self::LinePolarity => Text::new(
                "检查平衡线的 2、3 脚是否接反；直播声音已纠正",
                "check whether pins 2 and 3 of the balanced lead are swapped; the programme is already right",
            ),
            Self::LineHowl => Text::new(
                "请音响师降低现场话筒增益，或让话筒远离音箱",
                "ask the sound engineer to turn the microphone down, or move it away from the loudspeaker",
            ),
            Self::LineGlitches => Text::new(
                "检查 USB 线和采样率（48 kHz）设置，更换 USB 接口",
                "check the USB lead and that the desk runs at 48 kHz; try another USB socket",
            ),
            Self::LineSwitched => Text::new(
                "排除原线路故障后，用“音频”命令手动切回",
                "mend the other line, then go back by hand with the audio command",
            ),
            Self::OutputDown => Text::new(
                "检查目的地是否在接收、地址、口令或推流码是否正确，以及该输出绑定的上行链路；本机会自动重试",
                "check that the destination receives, its address, passphrase or stream key, and the uplink that the output is bound to; the box tries again by itself",
            ),
            Self::OutputElsewhere => Text::new(
                "检查首选目的地；恢复后将在下次开播时使用，或用停止再开始切回",
                "check the preferred destination; it is tried first again when the other fails or the box goes on air",
            ),
            Self::EncoderRefused => Text::new(
                "检查板卡的编码器驱动（dmesg），或在板级配置 encoders 中调整顺序",
                "look at the encoder's driver (dmesg), or change the order of encoders in the board profile",
            ),
            Self::Reduced => Text::new(
                "上行恢复后自动还原；可增加链路或降低 backup.bitrate",
                "it comes back by itself when the uplinks carry more; add a link or lower backup.bitrate",
            ),
            Self::HoldFailed => Text::new(
                "检查 state_dir 所在磁盘是否已满或只读，然后重新设置延播",
                "check that the disk of state_dir is neither full nor read-only, then set the delay again",
            ),
            Self::DiskLow => Text::new("清理旧录像或更换磁盘", "remove old recordings or change the disk"),
            Self::TooHot => Text::new(
                "检查风扇和通风口，避免阳光直射",
                "check the fan and the vents, and keep the box out of the sun",
            ),
        }
    }
}

/// A subject as people call it; slots keep their names.
fn spoken(subject: &str) -> Text {
    match subject {
        "camera" => Text::new("摄像机", "the camera"),
        "slides" => Text::new("幻灯片", "the slides laptop"),
        "camera2" => Text::new("摄像机 2", "camera 2"),
        "encoded" => Text::new("节目画面", "the programme's picture"),
        "hold" => Text::new("等待垫片", "the hold slate"),
        "warmup" => Text::new("暖场短片", "the warm-up loop"),
        "technical" => Text::new("技术故障垫片", "the technical slate"),
        "end" => Text::new("结束垫片", "the end slate"),
        "logo" => Text::new("台标", "the logo"),
        "mixer_a" => Text::new("调音台 A 路", "mixer line A"),
        "mixer_b" => Text::new("调音台 B 路", "mixer line B"),
        "embedded" => Text::new("HDMI/SDI 内嵌声", "the HDMI or SDI sound"),
        "media" => Text::new("音视频模块", "the picture and sound part"),
        "bond" => Text::new("链路聚合模块", "the bonding part"),
        "uplink" => Text::new("上行链路监测模块", "the uplink watch"),
        "health" => Text::new("健康监测模块", "the health watch"),
        "mqtt" => Text::new("MQTT 模块", "the MQTT part"),
        "panel" => Text::new("前面板模块", "the panel part"),
        "console" => Text::new("本地控制接口", "the local socket"),
        "record" => Text::new("录制模块", "the recorder"),
        "event" => Text::new("日程模块", "the agenda reader"),
        "config" => Text::new("配置模块", "the settings reader"),
        "main" => Text::new("主输出", "the main output"),
        "backup" => Text::new("备份输出", "the backup output"),
        "programme" => Text::new("节目输出", "the programme output"),
        "preview" => Text::new("预览", "the preview"),
        "upload" => Text::new("录像上传", "the upload of recordings"),
        other => Text::new(other, other),
    }
}
