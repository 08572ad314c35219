//! Status as a page to read in a terminal: measured beside wanted, worst first.

use std::fmt::Write as _;

use crate::alarm::Severity;
use crate::bond::LinkPhase;
use crate::bond::echo::{Echo, Kind, Sense, Session};
use crate::lang::Lang;
use crate::media::Line;
use crate::message::{AlarmLine, InputStatus, LinkStatus, Phase, Reading, Status, TalkStatus, Verdict};
use crate::time::Duration;

/// The page in `lang`.
pub(super) fn page(status: &Status, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", text.trim_end());
    };

    let phase = match status.phase {
        Phase::Standby => say("待机", "STANDBY"),
        Phase::Starting => say("正在开播", "STARTING"),
        Phase::Live => say("直播中", "ON AIR"),
        Phase::Stopping => say("正在停止", "STOPPING"),
    };
    line(format!("{}  {phase}  {}", status.device, clock(status.at - status.since)));

    let programme = &status.programme;
    let encoder = programme.encoder.map_or("-".to_owned(), |e| format!("{e:?}").to_lowercase());
    line(format!(
        "{} {} · {} {} · {} {encoder} · {}{}",
        say("布局", "layout"),
        programme.layout,
        say("音频", "line"),
        match programme.line {
            Line::A => "a",
            Line::B => "b",
            Line::Embedded => "hdmi/sdi",
        },
        say("编码器", "encoder"),
        if programme.output_open {
            say("输出已连接", "output open")
        } else {
            say("输出未连接", "output closed")
        },
        if programme.slate { say(" · 正在播垫片", " · slate on air") } else { "" },
    ));
    line(format!("{}{}", pad("", 12), say("实测 / 目标", "measured / wanted")));
    for (name, reading, unit) in [
        (say("码率", "bitrate"), programme.bitrate, "Mbit/s"),
        (say("帧率", "pictures"), programme.fps, "fps"),
        (say("安全码率", "safe rate"), programme.safe_rate, "Mbit/s"),
    ] {
        line(format!("  {}{}", pad(name, 10), figure(reading, unit, lang)));
    }

    line(recording_line(status, lang));
    if status.agenda.talks > 0 || status.agenda.number > 0 {
        line(agenda_line(status, lang));
    }

    line(say("输入", "inputs").to_owned());
    for input in &status.inputs {
        line(input_line(input, status, lang));
    }

    line(format!(
        "{}{}{}{}{}{}",
        pad(say("链路", "links"), 10),
        pad(say("状态", "phase"), 14),
        pad_left(say("时延", "rtt ms"), 8),
        pad_left(say("丢包%", "loss %"), 8),
        pad_left(say("速率", "Mbit/s"), 8),
        pad_left(say("容量", "room"), 8),
    ));
    status.links.iter().for_each(|link| line(link_line(link, lang)));

    if let Some(far) = &status.far_end {
        far.streams.iter().for_each(|echo| line(echo_line(echo, lang)));
    }

    if let Some(machine) = &status.health {
        let hot = machine.temperature.map_or("-".to_owned(), |t| format!("{:.0} °C", t.0));
        line(format!(
            "{}: {} {:.0} % · {} {:.0} % · {} {hot} · {} {:.1} / {:.1} GB",
            say("主机", "machine"),
            say("处理器", "cpu"),
            machine.cpu.0,
            say("内存", "memory"),
            machine.memory.0,
            say("温度", "hottest"),
            say("磁盘剩余", "disk free"),
            machine.disk_free.0 as f64 / 1e9,
            machine.disk_total.0 as f64 / 1e9,
        ));
    }

    if status.alarms.is_empty() {
        line(say("无告警", "no alarms").to_owned());
    }
    status.alarms.iter().for_each(|alarm| line(alarm_lines(alarm, status, lang)));
    out
}

fn recording_line(status: &Status, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let recording = &status.recording;
    let standing = match (&recording.file, recording.wanted) {
        (Some(file), _) => format!("{} {file}", say("录制中", "recording")),
        (None, true) => say("未能录制", "NOT RECORDING").to_owned(),
        (None, false) => say("未录制", "not recording").to_owned(),
    };
    let room = recording.room_min.measured.map_or(String::new(), |minutes| {
        format!(" · {} {minutes:.0} {}", say("还可录", "room for"), say("分钟", "min"))
    });
    format!(
        "{standing}{room} · {:.1} / {:.1} GB",
        recording.free_bytes as f64 / 1e9,
        recording.total_bytes as f64 / 1e9
    )
}

fn agenda_line(status: &Status, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let talk = |talk: &Option<TalkStatus>| {
        talk.as_ref().map_or("-".to_owned(), |t| {
            [&t.clock, &t.speaker, &t.title]
                .into_iter()
                .filter(|t| !t.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        })
    };
    let agenda = &status.agenda;
    format!("{}: {}  {}: {}", say("现在", "now"), talk(&agenda.now), say("下一场", "next"), talk(&agenda.next))
}

fn input_line(input: &InputStatus, status: &Status, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let standing = if input.present { say("正常", "ok") } else { say("丢失", "LOST") };
    let level = input.level.map_or(String::new(), |level| format!("{level:.0} dBFS "));
    let on_air = if status.programme.line.source() == input.source { say("[播出] ", "[on air] ") } else { "" };
    format!("  {}{}{on_air}{level}{}", pad(input.source.name(), 10), pad(standing, 6), input.detail.get(lang))
}

fn link_line(link: &LinkStatus, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let phase = match link.phase {
        LinkPhase::Down => say("断开", "DOWN"),
        LinkPhase::Registering => say("登记中", "registering"),
        LinkPhase::Probing => say("探测中", "probing"),
        LinkPhase::Up => say("正常", "up"),
        LinkPhase::Suspect => say("无响应", "SUSPECT"),
    };
    let rtt = link.rtt_ms.map_or("-".to_owned(), |ms| format!("{ms:.0}"));
    format!(
        "  {}{}{}{}{}{}",
        pad(&link.slot, 8),
        pad(phase, 14),
        pad_left(&rtt, 8),
        pad_left(&format!("{:.1}", link.loss * 100.0), 8),
        pad_left(&format!("{:.2}", link.rate_mbit), 8),
        pad_left(&format!("{:.2}", link.capacity_mbit), 8),
    )
}

fn echo_line(echo: &Echo, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let sense = |sense| match sense {
        Sense::Ok => say("正常", "ok"),
        Sense::Still => say("静止", "STILL"),
        Sense::Absent => say("没有", "ABSENT"),
        Sense::Unknown => say("未知", "unknown"),
    };
    let session = |session| match session {
        Session::Open => say("已连接", "open"),
        Session::Waiting => say("未连接", "WAITING"),
        Session::Broken => say("已断开", "BROKEN"),
        Session::Slow => say("过慢", "SLOW"),
    };
    let mut parts = vec![format!("{} {}", say("数据", "data"), sense(echo.flow))];
    match echo.kind {
        Kind::Ts => {
            parts.push(format!("{} {}", say("时间戳", "clock"), sense(echo.clock)));
            parts.push(format!("{} {}", say("画面", "picture"), sense(echo.picture)));
            parts.push(format!("{} {}", say("声音", "sound"), sense(echo.sound)));
            parts.push(format!("{} {}", echo.gaps, say("处缺包", "gaps")));
        }
        Kind::Srt => {}
    }
    parts.extend(
        echo.destinations
            .iter()
            .map(|d| format!("→ {} {}, {} {}", d.name, session(d.session), say("应答", "answers"), sense(d.answered))),
    );
    format!("{} {}: {}", say("云端收到", "far end hears"), echo.stream, parts.join(" · "))
}

fn alarm_lines(alarm: &AlarmLine, status: &Status, lang: Lang) -> String {
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let severity = match alarm.severity {
        Severity::Critical => say("严重", "CRITICAL"),
        Severity::Major => say("重要", "MAJOR"),
        Severity::Minor => say("次要", "minor"),
        Severity::Warning => say("提醒", "warning"),
    };
    format!(
        "! {severity} {} {}\n  {} {}",
        clock(status.at - alarm.since),
        alarm.text.get(lang),
        say("处理：", "mend:"),
        alarm.advice.get(lang),
    )
}

fn figure(reading: Reading, unit: &str, lang: Lang) -> String {
    let number = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.2}"));
    let verdict = match (reading.verdict, lang) {
        (Verdict::Good, Lang::Zh) => "正常",
        (Verdict::Good, Lang::En) => "good",
        (Verdict::Warn, Lang::Zh) => "偏离",
        (Verdict::Warn, Lang::En) => "OFF",
        (Verdict::Bad, Lang::Zh) => "异常",
        (Verdict::Bad, Lang::En) => "BAD",
        (Verdict::Unknown, Lang::Zh) => "未测",
        (Verdict::Unknown, Lang::En) => "not measured",
    };
    format!("{} / {} {unit}  {verdict}", pad_left(&number(reading.measured), 6), number(reading.wanted))
}

fn clock(span: Duration) -> String {
    let s = span.as_secs();
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Columns in a terminal: a Chinese character takes two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c as u32 >= 0x2e80 { 2 } else { 1 }).sum()
}

fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text)).max(1)))
}

fn pad_left(text: &str, to: usize) -> String {
    format!("{}{text}", " ".repeat(to.saturating_sub(width(text)).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another_in_both_languages() {
        assert_eq!(width(&pad("码率", 10)), width(&pad("bitrate", 10)));
        assert_eq!(width(&pad_left("时延", 8)), 8);
        assert_eq!(clock(Duration::from_secs(3661)), "01:01:01");
    }
}
