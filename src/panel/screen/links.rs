//! Links: what each of them carries, and one of them in full.

use super::view::{View, sign, tenth, tone};
use crate::bond::LinkPhase;
use crate::message::{LinkStatus, Verdict};
use crate::panel::page::{Mark, Page, Pip, Tone};
use crate::panel::words::Word;

/// Above this share lost, resending costs room that the programme needs.
const LOSSY: f64 = 0.05;

/// Every link, one a row.
pub(in crate::panel) fn links(view: &View<'_>) -> Page {
    let links = &view.status.links;
    let up = links.iter().filter(|link| link.phase == LinkPhase::Up).count();
    let count = format!("{up}/{}", links.len());
    let mut page = view.page("");
    page.head.left = vec![format!("{} {count}", view.say(Word::Links)), count];
    if links.is_empty() {
        page.words(view.say(Word::NoLinks), Tone::Plain);
        return page;
    }
    for link in links {
        let right = if link.phase == LinkPhase::Up {
            let rtt = link.rtt_ms.map_or("-".to_owned(), |ms| format!("{ms:.0}ms"));
            let (rate, room) = (format!("{:.1}", link.rate_mbit), format!("{:.1}M", link.capacity_mbit));
            vec![
                format!("{rate}/{room} {rtt} {:.1}%", link.loss * 100.0),
                format!("{rate}/{room} {rtt}"),
                format!("{rate}/{room}"),
            ]
        } else {
            vec![standing(view, link)]
        };
        page.choices(vec![link.slot.clone()], right, judged(link));
    }
    let safe = view.status.programme.safe_rate;
    let together = format!("{}/{}M{}", tenth(safe.measured), tenth(safe.wanted), sign(safe.verdict));
    page.line(view.say(Word::Together), together, tone(safe.verdict));
    page
}

/// One link in full.
pub(in crate::panel) fn link(view: &View<'_>, index: usize) -> Page {
    let links = &view.status.links;
    let Some(link) = links.get(index.min(links.len().saturating_sub(1))) else { return self::links(view) };
    let number = format!("#{}", index.min(links.len() - 1) + 1);
    let mut page = view.page("");
    page.head.left = vec![format!("{} {number}", view.say(Word::Links)), number];
    page.line(link.slot.clone(), standing(view, link), judged(link));
    let figures = format!("{:.1}/{:.1}M", link.rate_mbit, link.capacity_mbit);
    page.line(view.say(Word::Carries), figures, Tone::Plain);
    let rtt = link.rtt_ms.map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
    page.line(view.say(Word::RoundTrip), rtt, Tone::Plain);
    let lossy = if link.loss > LOSSY { Tone::Warn } else { Tone::Plain };
    page.line(view.say(Word::Loss), format!("{:.1} %", link.loss * 100.0), lossy);
    page.line(view.say(Word::Interface), link.interface.clone().unwrap_or_else(|| "-".to_owned()), Tone::Plain);
    page.line(view.say(Word::Address), link.address.clone().unwrap_or_else(|| "-".to_owned()), Tone::Plain);
    page.line(view.say(Word::Sent), bytes(link.sent_bytes), Tone::Plain);
    page.line(view.say(Word::Metered), view.say(if link.metered { Word::Yes } else { Word::No }), Tone::Plain);
    page
}

/// Each link as a bar of its share.
pub(super) fn pips(links: &[LinkStatus]) -> Vec<Pip> {
    let busiest = links.iter().map(|link| link.rate_mbit).fold(0.1, f64::max);
    links
        .iter()
        .map(|link| {
            let mark = match link.phase {
                LinkPhase::Up => Mark::Share(link.rate_mbit / busiest),
                LinkPhase::Registering | LinkPhase::Probing => Mark::Trying,
                LinkPhase::Down | LinkPhase::Suspect => Mark::Dead,
            };
            Pip { name: letter(&link.slot), mark }
        })
        .collect()
}

/// One letter or digit that tells a slot: `W` of `wired`, `3` of `lte3`.
fn letter(slot: &str) -> char {
    let last = slot.chars().next_back().filter(char::is_ascii_digit);
    last.or_else(|| slot.chars().next().map(|c| c.to_ascii_uppercase())).unwrap_or('?')
}

fn standing(view: &View<'_>, link: &LinkStatus) -> String {
    view.say(match link.phase {
        LinkPhase::Down => Word::LinkDown,
        LinkPhase::Registering => Word::LinkRegistering,
        LinkPhase::Probing => Word::LinkProbing,
        LinkPhase::Up => Word::LinkUp,
        LinkPhase::Suspect => Word::LinkSuspect,
    })
}

fn judged(link: &LinkStatus) -> Tone {
    tone(match link.phase {
        LinkPhase::Up if link.loss > LOSSY => Verdict::Warn,
        LinkPhase::Up => Verdict::Good,
        LinkPhase::Registering | LinkPhase::Probing => Verdict::Warn,
        LinkPhase::Down | LinkPhase::Suspect => Verdict::Bad,
    })
}

fn bytes(count: u64) -> String {
    let count = count as f64;
    if count >= 1e9 { format!("{:.2} GB", count / 1e9) } else { format!("{:.1} MB", count / 1e6) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_told_by_its_number_or_its_first_letter() {
        assert_eq!(["wired", "lte3", "starlink", ""].map(letter), ['W', '3', 'S', '?']);
        assert_eq!((bytes(1_500_000), bytes(2_340_000_000)), ("1.5 MB".into(), "2.34 GB".into()));
    }
}
