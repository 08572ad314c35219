//! Metrics: the gateway's figures as the text that Prometheus reads (exposition format 0.0.4).

use std::fmt::{Display, Write as _};

use super::stats::{GroupFigures, Stats};
use crate::wire::echo::{Sense, Session};

/// The page. `uptime` in seconds.
#[must_use]
pub fn page(uptime: f64, stats: &Stats, groups: &[GroupFigures]) -> String {
    let mut page = Page(String::with_capacity(4096));
    page.one("livebox_gateway_uptime_seconds", "gauge", "Time since the start", uptime);
    page.one("livebox_gateway_groups", "gauge", "Groups now", stats.groups);
    page.one("livebox_gateway_links", "gauge", "Links now, of all groups", stats.links);
    page.one("livebox_gateway_srt_packets_total", "counter", "SRT packets passed on to listeners", stats.packets);
    page.one("livebox_gateway_srt_bytes_total", "counter", "Their bytes", stats.bytes);

    page.head("livebox_gateway_dropped_total", "counter", "Datagrams dropped, by reason");
    for (reason, count) in stats.dropped() {
        page.line("livebox_gateway_dropped_total", &[("reason", &reason)], count);
    }

    page.head("livebox_link_bytes_total", "counter", "Bytes that came on a link");
    each_link(groups, |labels, link| page.line("livebox_link_bytes_total", labels, link.bytes));
    page.head("livebox_link_datagrams_total", "counter", "Datagrams that came on a link");
    each_link(groups, |labels, link| page.line("livebox_link_datagrams_total", labels, link.packets));
    page.head("livebox_group_copies_total", "counter", "Copies of packets that went no further");
    for group in groups {
        let key = group.key.0.to_string();
        page.line("livebox_group_copies_total", &of(group, &key), group.copies);
    }
    page.head("livebox_group_unread_total", "counter", "Frames of a box that nobody could read, or of a later version");
    for group in groups {
        let key = group.key.0.to_string();
        page.line("livebox_group_unread_total", &of(group, &key), group.unread);
    }
    streams(&mut page, groups);
    destinations(&mut page, groups);
    page.0
}

fn streams(page: &mut Page, groups: &[GroupFigures]) {
    let echoes = || groups.iter().flat_map(|group| group.echoes.iter().map(move |echo| (group, echo)));
    for (name, kind, help) in [
        ("livebox_stream_bytes_total", "counter", "Payload bytes of a stream"),
        ("livebox_stream_missing_total", "counter", "Payloads that no link brought in time"),
        ("livebox_stream_gaps_total", "counter", "Packets missing by continuity counters"),
    ] {
        page.head(name, kind, help);
        for (group, echo) in echoes() {
            let value = match name {
                "livebox_stream_bytes_total" => echo.bytes,
                "livebox_stream_missing_total" => u64::from(echo.missing),
                _ => u64::from(echo.gaps),
            };
            let (key, stream) = (group.key.0.to_string(), echo.stream.to_string());
            let [a, b, c] = of(group, &key);
            page.line(name, &[a, b, c, ("stream", &stream)], value);
        }
    }
    let name = "livebox_stream_heard";
    page.head(name, "gauge", "What is heard of a stream: 1 ok, 0.5 still, 0 absent, -1 unknown");
    for (group, echo) in echoes() {
        let (key, stream) = (group.key.0.to_string(), echo.stream.to_string());
        let [a, b, c] = of(group, &key);
        for (what, sense) in
            [("flow", echo.flow), ("clock", echo.clock), ("picture", echo.picture), ("sound", echo.sound)]
        {
            page.line(name, &[a, b, c, ("stream", &stream), ("what", what)], number(sense));
        }
    }
}

fn destinations(page: &mut Page, groups: &[GroupFigures]) {
    let all = || {
        groups.iter().flat_map(|group| {
            group.echoes.iter().flat_map(move |echo| echo.destinations.iter().map(move |d| (group, echo, d)))
        })
    };
    type Figure = fn(&crate::wire::echo::Destination) -> f64;
    let figures: [(&str, &str, &str, Figure); 7] = [
        ("livebox_destination_open", "gauge", "Its SRT session: 1 open, 0.5 too slow, 0 not open", |d| {
            match d.session {
                Session::Open => 1.0,
                Session::Slow => 0.5,
                Session::Waiting | Session::Broken => 0.0,
            }
        }),
        ("livebox_destination_answered", "gauge", "Its acknowledgements: 1 go on, 0.5 stand, 0 none", |d| {
            number(d.answered)
        }),
        ("livebox_destination_bytes_total", "counter", "Bytes sent to it", |d| d.bytes as f64),
        ("livebox_destination_lost_total", "counter", "Packets that it said it missed", |d| f64::from(d.lost)),
        ("livebox_destination_resent_total", "counter", "Packets sent to it again", |d| f64::from(d.resent)),
        ("livebox_destination_dropped_total", "counter", "Payloads left out for it", |d| f64::from(d.dropped)),
        ("livebox_destination_rtt_seconds", "gauge", "Round trip to it", |d| f64::from(d.rtt_ms) / 1e3),
    ];
    for (name, kind, help, figure) in figures {
        page.head(name, kind, help);
        for (group, echo, destination) in all() {
            let (key, stream) = (group.key.0.to_string(), echo.stream.to_string());
            let [a, b, c] = of(group, &key);
            let labels = [a, b, c, ("stream", &stream), ("destination", &destination.name)];
            page.line(name, &labels, figure(destination));
        }
    }
}

fn each_link(groups: &[GroupFigures], mut line: impl FnMut(&[(&str, &str)], &super::stats::LinkFigures)) {
    for group in groups {
        let key = group.key.0.to_string();
        for link in &group.links {
            let (address, number) = (link.address.to_string(), link.number.map(|n| n.to_string()).unwrap_or_default());
            let [a, b, c] = of(group, &key);
            line(&[a, b, c, ("link", &number), ("address", &address)], link);
        }
    }
}

fn of<'g>(group: &'g GroupFigures, key: &'g str) -> [(&'static str, &'g str); 3] {
    [("group", key), ("box", &group.name), ("dialect", group.speaks.name())]
}

const fn number(sense: Sense) -> f64 {
    match sense {
        Sense::Ok => 1.0,
        Sense::Still => 0.5,
        Sense::Absent => 0.0,
        Sense::Unknown => -1.0,
    }
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(text));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{GroupKey, LinkFigures, Speaks};
    use crate::wire::echo::{Destination, Echo, Kind};

    #[test]
    fn every_line_is_one_that_prometheus_reads() {
        let destination = Destination { name: "stu\"dio".to_owned(), session: Session::Open, ..Destination::default() };
        let echo = Echo {
            stream: 1,
            kind: Kind::Ts,
            flow: Sense::Ok,
            clock: Sense::Ok,
            picture: Sense::Still,
            sound: Sense::Unknown,
            bytes: 77,
            missing: 0,
            gaps: 2,
            destinations: vec![destination],
        };
        let link = LinkFigures { number: Some(3), address: ([10, 0, 0, 1], 9).into(), bytes: 5, packets: 6 };
        let group = GroupFigures {
            key: GroupKey(4),
            name: "hall-1".to_owned(),
            speaks: Speaks::Native,
            links: vec![link],
            copies: 1,
            unread: 8,
            echoes: vec![echo],
        };

        let page = page(12.5, &Stats { groups: 1, unreadable: 9, ..Stats::default() }, &[group]);

        for line in [
            "livebox_gateway_uptime_seconds 12.5",
            "livebox_gateway_dropped_total{reason=\"unreadable\"} 9",
            "livebox_link_bytes_total{group=\"4\",box=\"hall-1\",dialect=\"native\",link=\"3\",address=\"10.0.0.1:9\"} 5",
            "livebox_group_unread_total{group=\"4\",box=\"hall-1\",dialect=\"native\"} 8",
            "livebox_stream_heard{group=\"4\",box=\"hall-1\",dialect=\"native\",stream=\"1\",what=\"picture\"} 0.5",
            "livebox_stream_heard{group=\"4\",box=\"hall-1\",dialect=\"native\",stream=\"1\",what=\"sound\"} -1",
            "livebox_destination_open{group=\"4\",box=\"hall-1\",dialect=\"native\",stream=\"1\",destination=\"stu\\\"dio\"} 1",
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\n{page}");
        }
        let samples = page.lines().filter(|l| !l.starts_with('#'));
        assert!(samples.clone().all(|l| l.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok())));
        for name in samples.map(|l| l.split(['{', ' ']).next().unwrap_or_default()) {
            let heads = page.matches(&format!("# TYPE {name} ")).count();
            assert_eq!(heads, 1, "{name}");
        }
    }
}
