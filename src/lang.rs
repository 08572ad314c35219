//! Every sentence an operator reads, in Chinese and English, in one place.
//!
//! A sentence is a value, [`Text`]; a face shows it in the language that is set.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The languages of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Simplified Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// One sentence in both languages, already filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Text {
    /// A sentence from its two forms.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// Words that are nobody's sentence: a driver's, a library's, a name. They stay as they are.
    pub fn raw(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { zh: words.clone(), en: words }
    }

    /// True if nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zh.is_empty() && self.en.is_empty()
    }

    /// The form in `lang`.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

impl fmt::Display for Text {
    /// English, for logs and shells.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// A sentence can be the reason of a failure.
impl std::error::Error for Text {}

/// What happened, told in one sentence each: the events of Status.
pub mod told {
    use super::Text;

    /// The box goes on air.
    #[must_use]
    pub fn starting() -> Text {
        Text::new("正在开始直播", "going on air")
    }

    /// The box goes on air by itself, as it was before the restart.
    #[must_use]
    pub fn resuming() -> Text {
        Text::new("重启前正在直播，自动恢复直播", "was on air before the restart; going on air again")
    }

    /// The box is on air.
    #[must_use]
    pub fn live() -> Text {
        Text::new("直播中", "on air")
    }

    /// The box leaves the air.
    #[must_use]
    pub fn stopping() -> Text {
        Text::new("正在停止直播", "leaving the air")
    }

    /// The box is off air.
    #[must_use]
    pub fn standby() -> Text {
        Text::new("已停止直播，待机", "off air")
    }

    /// The picture is shared another way.
    #[must_use]
    pub fn layout(name: &str) -> Text {
        let zh = match name {
            "camera" => "摄像机",
            "slides" => "幻灯片",
            "picture_in_picture" => "画中画",
            "side_by_side" => "并排",
            "camera2" => "摄像机 2",
            "three_split" => "三分屏",
            other => other,
        };
        Text::new(format!("画面布局：{zh}"), format!("layout: {name}"))
    }

    /// Another mixer line is on air.
    #[must_use]
    pub fn line(name: &str) -> Text {
        Text::new(format!("音频切换到 {name} 路"), format!("mixer line {name} on air"))
    }

    /// The slate was asked for, or the picture again.
    #[must_use]
    pub fn slate(on: bool) -> Text {
        if on {
            Text::new("已切到垫片，声音照常", "the slate is on air; the sound goes on")
        } else {
            Text::new("已切回画面", "the picture is back on air")
        }
    }

    /// A slate was asked for by its name.
    #[must_use]
    pub fn shown(name: &str) -> Text {
        let zh = match name {
            "warmup" => "暖场短片",
            "technical" => "技术故障垫片",
            "end" => "结束垫片",
            _ => "等待垫片",
        };
        Text::new(format!("已切到{zh}"), format!("on screen: the {name} slate"))
    }

    /// The alarms that stood were seen by somebody.
    #[must_use]
    pub fn acknowledged(count: usize) -> Text {
        Text::new(format!("已确认 {count} 条告警"), format!("alarms acknowledged: {count}"))
    }

    /// What the studio's switcher makes of the programme.
    #[must_use]
    pub fn tally(name: &str) -> Text {
        let zh = match name {
            "program" => "导播台：已切出",
            "preview" => "导播台：预监",
            _ => "导播台：未选",
        };
        Text::new(zh, format!("the studio's tally: {name}"))
    }

    /// Somebody else has the floor; nobody in particular if the name is empty.
    #[must_use]
    pub fn speaker(name: &str) -> Text {
        match name {
            "" => Text::new("切换讲者", "the next speaker begins"),
            name => Text::new(format!("切换讲者：{name}"), format!("speaker: {name}")),
        }
    }

    /// The step to another speaker was taken back.
    #[must_use]
    pub fn speaker_undone(name: &str) -> Text {
        match name {
            "" => Text::new("已撤销切换讲者", "the step to the next speaker was taken back"),
            name => {
                Text::new(format!("已撤销切换，讲者仍为：{name}"), format!("taken back; the speaker is still {name}"))
            }
        }
    }

    /// Somebody asked for a recording, or for none.
    #[must_use]
    pub fn record(on: bool) -> Text {
        if on { Text::new("开始录制", "recording on") } else { Text::new("停止录制", "recording off") }
    }

    /// A recording was deleted to make room.
    #[must_use]
    pub fn removed(file: &str) -> Text {
        Text::new(format!("为腾出空间已删除录像：{file}"), format!("deleted to make room: {file}"))
    }

    /// Another quality is in force.
    #[must_use]
    pub fn tier(name: &str) -> Text {
        let zh = match name {
            "T1-3M" => "流畅",
            "T2-5M" => "标清",
            "T3-10M" => "高清",
            _ => "超清",
        };
        Text::new(format!("直播档位：{zh}（{name}）"), format!("tier: {name}"))
    }

    /// Another output feeds the programme destination.
    #[must_use]
    pub fn activated(output: &str) -> Text {
        let zh = if output == "backup" { "备份" } else { "主输出" };
        Text::new(format!("节目输出切换到{zh}"), format!("the programme destination is fed by {output}"))
    }

    /// No link reached the far end in use; another one is tried.
    #[must_use]
    pub fn far_end(place: &str) -> Text {
        Text::new(format!("链路不通，改连备用云端 {place}"), format!("no link reaches the far end; trying {place}"))
    }

    /// An output is held back for so long.
    #[must_use]
    pub fn held(output: &str, seconds: u8) -> Text {
        Text::new(format!("{output} 延播 {seconds} 秒"), format!("{output} is held back by {seconds} s"))
    }

    /// What was held back of an output is thrown away, or it comes back.
    #[must_use]
    pub fn dumped(output: &str, on: bool) -> Text {
        if on {
            Text::new(format!("{output} 已切断，垫片顶上"), format!("{output} was dumped; the slate is on air"))
        } else {
            Text::new(format!("{output} 已恢复节目"), format!("{output} carries the programme again"))
        }
    }

    /// Another slide is shown.
    #[must_use]
    pub fn slide(number: u32) -> Text {
        Text::new(format!("幻灯片翻页（第 {number} 次）"), format!("another slide ({number})"))
    }

    /// Something was taken back, or given back.
    #[must_use]
    pub fn reduced(what: &str, why: &Text) -> Text {
        Text::new(format!("已降级 {what}：{}", why.zh), format!("{what} was taken back: {}", why.en))
    }

    /// What was taken back is given back.
    #[must_use]
    pub fn restored(what: &str) -> Text {
        Text::new(format!("已还原 {what}"), format!("{what} is given back"))
    }

    /// The agenda was read.
    #[must_use]
    pub fn agenda(talks: usize, faults: usize) -> Text {
        match faults {
            0 => Text::new(format!("已读取日程：{talks} 场"), format!("agenda: {talks} talks")),
            n => Text::new(format!("已读取日程：{talks} 场，{n} 处有误"), format!("agenda: {talks} talks, {n} faults")),
        }
    }

    /// The programme left a mixer line at fault.
    #[must_use]
    pub fn switched(name: &str) -> Text {
        Text::new(
            format!("故障自动切换：音频改用 {name} 路"),
            format!("fault on the other line; mixer line {name} on air"),
        )
    }

    /// Another gain for a mixer line.
    #[must_use]
    pub fn gain(name: &str, db: f64) -> Text {
        Text::new(format!("{name} 路增益 {db:+.1} dB"), format!("gain of mixer line {name}: {db:+.1} dB"))
    }

    /// The sound is cut off, or back.
    #[must_use]
    pub fn mute(on: bool) -> Text {
        if on {
            Text::new("节目声音已静音", "the sound is muted")
        } else {
            Text::new("节目声音已恢复", "the sound is back")
        }
    }

    /// The programme leaves a mixer line at fault by itself, or not.
    #[must_use]
    pub fn auto(on: bool) -> Text {
        if on {
            Text::new("音频故障自动切换：开", "a mixer line at fault is left by itself")
        } else {
            Text::new("音频故障自动切换：关", "mixer lines are changed by hand only")
        }
    }

    /// An input comes later, or earlier.
    #[must_use]
    pub fn delay(source: &str, ms: i64) -> Text {
        Text::new(format!("{source} 延时 {ms} 毫秒"), format!("delay of {source}: {ms} ms"))
    }

    /// The lip-sync test begins or ends.
    #[must_use]
    pub fn lip_sync(on: bool) -> Text {
        if on {
            Text::new("声画同步测试开始，请播放闪光短片", "lip-sync test: play the flash clip now")
        } else {
            Text::new("声画同步测试结束", "lip-sync test ended")
        }
    }

    /// Which encoder is in use.
    #[must_use]
    pub fn encoder(name: &str) -> Text {
        Text::new(format!("编码器：{name}"), format!("encoder: {name}"))
    }

    /// New settings are in use.
    #[must_use]
    pub fn settings() -> Text {
        Text::new("新配置已生效", "new settings are in use")
    }

    /// An alarm was cleared.
    #[must_use]
    pub fn cleared(alarm: &Text) -> Text {
        Text::new(format!("已恢复：{}", alarm.zh), format!("cleared: {}", alarm.en))
    }

    /// An alarm was raised.
    #[must_use]
    pub fn raised(alarm: &Text) -> Text {
        Text::new(format!("告警：{}", alarm.zh), format!("alarm: {}", alarm.en))
    }

    /// The box ends.
    #[must_use]
    pub fn ending() -> Text {
        Text::new("系统正在关闭", "the box is shutting down")
    }
}

/// What a device, the session or a part says of itself: the details of inputs and alarms. What is in
/// the braces is foreign: a name, a driver's words.
pub mod said {
    use super::Text;

    macro_rules! sentences {
        ($($(#[$doc:meta])* $name:ident($($arg:ident),*) = $zh:literal, $en:literal;)*) => {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name($($arg: impl std::fmt::Display),*) -> Text {
                Text::new(format!($zh), format!($en))
            }
        )*};
    }

    sentences! {
        /// A picture source in use.
        pattern(shape) = "{shape} 测试图案", "{shape} pattern";
        /// A sound source in use.
        tone(hertz) = "{hertz} Hz 测试音", "{hertz} Hz tone";
        /// A file in use.
        file(name) = "文件 {name}", "file {name}";
        /// A V4L2 device in use.
        video(format, card, bus) = "{format}，{card}（{bus}）", "{format}, {card} at {bus}";
        /// A control that the profile names.
        no_control() = "设备没有该参数（v4l2-ctl -L 可列出）", "the device has no such control; v4l2-ctl -L lists them";
        /// A sound card in use.
        sound(rate, room, card, device) = "{rate} Hz 立体声 S16，缓冲 {room}，alsa {card},{device}", "{rate} Hz stereo S16, buffer {room}, alsa {card},{device}";

        /// An open device is silent, and says nothing of it.
        no_pictures() = "设备已打开，但没有画面", "no pictures from an open device";
        /// An open device is silent, and says nothing of it.
        no_sound() = "设备已打开，但没有声音", "no sound from an open device";
        /// A video input is dead.
        no_power() = "输入没有供电", "input without power";
        /// Nothing is plugged into a video input, or what is plugged in is off.
        no_cable() = "没有接入信号线，或对方设备已关机", "nothing plugged in, or the device is off";
        /// The device that hangs where another was expected.
        other_driver(there, wanted) = "驱动为 {there}，配置文件中为 {wanted}", "its driver is {there}, the profile says {wanted}";
        /// The EDID of an input could not be set.
        no_edid(why) = "无法写入 EDID（{why}）", "our EDID was not taken ({why})";
        /// A signal in use.
        of_signal(signal) = "信号 {signal}", "signal {signal}";
        /// Pictures of another shape, size or rate than the programme's.
        misfit(given, wanted) = "输入为 {given}，节目为 {wanted}", "it gives {given}, the programme is {wanted}";
        /// Pictures of the wrong size.
        sizes(given, wanted) = "{given}，应为 {wanted}", "{given} instead of {wanted}";
        /// The encoder gives nothing.
        no_picture_since(seconds) = "已 {seconds} 秒没有关键帧", "no key picture for {seconds} s";
        /// A slate's file.
        slate_changed(path) = "{path} 的内容与 sha256 不符", "{path} is not the file of its sha256";
        /// A slate's file.
        slate_unreadable(path, why) = "{path} 无法读取（{why}）", "{path} cannot be read ({why})";
        /// A slate's file.
        slate_undecodable(path) = "{path} 不是可识别的图片或视频", "{path} is no picture and no film that can be decoded";
        /// A slate's file.
        slate_too_large(path) = "{path} 超过 512 MB", "{path} is larger than 512 MB";
        /// A capture device was pulled, or its driver let go of it.
        device_gone(card) = "{card}：设备已移除", "{card} was removed";
        /// A video input has no signal.
        no_signal() = "没有信号", "no signal";
        /// A video input has a signal that it cannot hold.
        no_lock() = "信号无法锁定", "signal without lock";
        /// A video input has a signal that it cannot take.
        out_of_range() = "信号超出可接收的范围", "signal out of range";
        /// The signal of a video input became another one.
        new_signal(card) = "{card}：信号格式已改变", "{card}: new signal format";
        /// Nothing hangs there.
        no_video_device(bus) = "{bus} 处没有视频设备", "no video device at {bus}";
        /// A device that is there.
        does_not_open(name) = "{name} 无法打开", "{name} does not open";
        /// A device that is there.
        does_not_start(name) = "{name} 无法启动", "{name} does not start";
        /// A device or file that came to its end.
        ended(name) = "{name} 已结束", "{name} ended";
        /// A device that stalls.
        no_picture_for(card, seconds) = "{card} 已有 {seconds} 秒没有画面", "{card} gave no picture for {seconds} s";
        /// A device that stalls.
        no_sound_for(name, millis) = "{name} 已有 {millis} 毫秒没有声音", "{name} gave nothing for {millis} ms";
        /// A card that is not there.
        no_sound_card(card) = "没有找到声卡 {card}", "sound card {card} is not there";
        /// A card that was there.
        card_unplugged(card) = "声卡 {card} 已拔出", "sound card {card} was unplugged";
        /// A card that cannot be used.
        no_stereo(name) = "{name} 不提供 48 kHz 立体声", "{name} gives no 48 kHz stereo";
        /// A card that failed for good.
        does_not_recover(name) = "{name} 无法恢复", "{name} does not recover";
        /// A file that is not there.
        no_file(path) = "文件 {path} 不存在", "{path} is not there";
        /// A file without what is wanted of it.
        nothing_inside(path) = "文件 {path} 中没有所需的画面或声音", "{path} holds nothing of this kind";
        /// A file that nothing here can read.
        unreadable(path) = "文件 {path} 无法播放", "{path} cannot be played";
        /// A file that stays at its end.
        no_loop() = "文件无法从头重新播放", "the file cannot be played from its start again";
        /// The script of a simulated device.
        scripted() = "模拟设备已拔出", "simulated device unplugged";
        /// Orders said so.
        stopped() = "已停止", "stopped";

        /// A destination behind the gateway.
        session_waiting() = "未连接", "not connected";
        /// A destination behind the gateway.
        session_slow(dropped) = "过慢，已丢弃 {dropped} 个数据包", "too slow, {dropped} payloads left out";

        /// The gateway.
        no_gateway() = "没有链路可达云端网关", "no link reaches the gateway";
        /// The gateway, of the box's key or of its own.
        gateway_key() = "云端网关不认识本机的密钥，或本机配置的网关公钥有误", "the gateway does not know this box's key, or bond.peer is not the gateway's";
        /// The gateway.
        gateway_full() = "云端网关的设备数已满", "the gateway carries as many boxes as it may";
        /// The gateway, of another release.
        gateway_version() = "云端网关的版本与本机不兼容", "the gateway speaks another version of the dialect";
        /// The gateway.
        gateway_unfit() = "云端网关不接受本机请求的流或延迟", "the gateway does not take these streams or this latency";

        /// The session ended because the box left the air.
        left_the_air() = "已停止推流", "left the air";
        /// The session ended.
        far_end_closed() = "远端关闭了 SRT 会话", "the far end closed the SRT session";
        /// The session never began.
        no_answer(seconds) = "远端 {seconds} 秒内没有应答", "no answer from the far end within {seconds} s";
        /// The session could not even be tried.
        wrong_passphrase() = "口令不一致，远端拒绝了连接", "the far end refused the passphrase";
        /// Uplinks that carry less than everybody would send.
        short_of(wanted, room) = "需要 {wanted}，上行仅 {room}", "{wanted} is wanted, the uplinks carry {room}";
        /// An uplink that an output is bound to.
        uplink_away(slot) = "绑定的上行链路 {slot} 不可用", "the uplink {slot} that it is bound to is not there";
        /// A name that nobody knows.
        unknown_host(host) = "无法解析主机名 {host}", "nobody knows the name {host}";
        /// A server that does not take connections.
        unreachable(place) = "无法连接 {place}", "{place} does not take connections";
        /// An encoder that stands still.
        encoder_stalled() = "编码器 1 秒没有输出，已重建", "the encoder gave nothing for 1 s and was made afresh";
        /// An encoder that does not carry one encode more.
        encoder_instead(first, used) = "{first} 无法再开一路编码，已改用 {used}", "{first} carries no further encode; {used} does";
        /// An encoder that does not start.
        encoder_refused() = "驱动拒绝启动编码器", "its driver refused to start";
        /// A session that does not start.
        no_session() = "SRT 会话无法启动", "the SRT session did not start";

        /// No picture without one.
        no_encoder(tried) = "没有可用的编码器（已尝试 {tried}）；请安装 gstreamer1.0-plugins-ugly 以使用 x264enc", "no encoder works (tried {tried}); install gstreamer1.0-plugins-ugly for x264enc";
        /// The programme's pipeline.
        programme_failed() = "节目流水线出错", "the programme's pipeline failed";
        /// The programme's pipeline.
        programme_does_not_start() = "节目流水线无法启动", "the programme's pipeline does not start";
        /// The programme's pipeline.
        programme_hangs(seconds) = "节目流水线停顿：{seconds} 秒没有画面", "the programme's pipeline hangs: no picture for {seconds} s";
        /// Where everything is sent to.
        bad_destination(name) = "media.destination 的值 {name} 不可用", "media.destination = {name} cannot be used";
        /// The broker.
        not_subscribed() = "服务器没有接受订阅", "the subscription was not taken";
        /// The broker, with its own code.
        refused(code) = "服务器拒绝连接（{code}）；请检查用户名、密码或证书", "the broker refused: {code}; check user, password or certificate";
        /// The panel.
        display_silent() = "显示屏没有应答，请检查排线和地址", "the display does not answer; check its cable and address";
        /// An agenda that is no agenda.
        agenda_too_large(name) = "{name} 过大（超过1 MB），不是日程文件", "{name} is larger than 1 MB and no agenda";
        /// An agenda in nobody's script.
        agenda_no_text(name) = "{name} 不是文本；请另存为 UTF-8", "{name} is no text; save it as UTF-8";
        /// An agenda without a head.
        agenda_no_head(name) = "{name} 第一行没有列名；需要 speaker（讲者）和 title（题目）等列名", "{name}: the first line names no columns; it needs at least speaker or title";
        /// An agenda that its format refuses.
        agenda_unreadable(place, why) = "{place}：无法读取（{why}）", "{place}: not readable ({why})";
        /// An agenda without talks.
        agenda_empty(name) = "{name} 没有本会场的场次；检查 event.hall", "{name} has no talk for this hall; check event.hall";
        /// An agenda of a city.
        agenda_too_long(name, most) = "{name} 超过 {most} 场，其余未读", "{name} has more than {most} talks; the rest is left out";
        /// A talk of nobody about nothing.
        talk_unnamed(place) = "{place}：没有讲者也没有题目，已跳过；请补上", "{place}: neither speaker nor title, left out; write one of them";
        /// A talk whose time makes no sense.
        talk_bad_time(place, text) = "{place}：时间 {text} 无法识别；请写成 09:30 或 2026-11-22 09:30", "{place}: {text} is no time; write 09:30 or 2026-11-22 09:30";
        /// A talk without a time among others that have one.
        talk_no_time(place) = "{place}：没有开始时间，只能手动切换；请补上", "{place}: no start time, it moves by hand only; write one";
        /// A talk that ends before it begins.
        talk_backwards(place) = "{place}：结束时间早于开始时间，已忽略结束时间", "{place}: ends before it begins; its end is left out, mend it";
        /// Two talks at once.
        talks_overlap(place, other) = "{place} 与 {other} 时间重叠；请改正其中一场", "{place} and {other} overlap; mend one of them";
        /// A permission that is neither.
        talk_bad_permission(place, text) = "{place}：{text} 不是“是”或“否”，按“否”处理", "{place}: {text} is neither yes nor no; taken as no";
        /// A part that ended without a reason.
        by_itself() = "自行退出", "it ended by itself";
        /// Why, stands in the log only.
        see_the_log(words) = "原因见日志", "{words}";
    }

    /// A control of the profile that a device did not take.
    #[must_use]
    pub fn control_not_set(name: &str, value: &i64, why: &Text) -> Text {
        Text::new(format!("参数 {name} = {value} 未生效：{}", why.zh), format!("{name} = {value} not set: {}", why.en))
    }

    /// One after the other.
    #[must_use]
    pub fn and(one: &Text, other: &Text) -> Text {
        Text::new(format!("{}；{}", one.zh, other.zh), format!("{}; {}", one.en, other.en))
    }

    /// A device, and what is the matter with it.
    #[must_use]
    pub fn of(card: &str, what: &Text) -> Text {
        Text::new(format!("{card}：{}", what.zh), format!("{card}: {}", what.en))
    }

    /// What failed, and the foreign words that tell why.
    #[must_use]
    pub fn because(what: &Text, words: &str) -> Text {
        Text::new(format!("{}：{words}", what.zh), format!("{}: {words}", what.en))
    }

    /// An agenda's faults: the first, and how many there are.
    #[must_use]
    pub fn agenda_faults(faults: &[Text]) -> Option<Text> {
        let first = faults.first()?;
        Some(match faults.len() {
            1 => first.clone(),
            n => Text::new(format!("{}，共 {n} 处", first.zh), format!("{} … +{}", first.en, n - 1)),
        })
    }

    /// Settings that were refused: the first place, and how many there are.
    #[must_use]
    pub fn faults(faults: &[String]) -> Text {
        let Some(first) = faults.first() else { return Text::default() };
        // file, line and key are names; the sentence after them stands in the log and in livebox check
        let place = first.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ");
        match faults.len() {
            1 => Text::new(place, first.clone()),
            n => Text::new(format!("{place}，共 {n} 处"), format!("{first} … +{}", n - 1)),
        }
    }
}
