//! File names from what people write: any script, no character that any disk refuses.

use super::label::Label;

/// Bytes that each part of a name may have; together with the longest number, a stream and the ending they stay below the 255
/// that every file system takes. A Chinese character has three.
const PARTS: [usize; 4] = [36, 36, 54, 90];

/// Name of the programme's stream: the one whose name is not worth a place in file names.
pub const PROGRAMME: &str = "main";

/// Name of a segment: its number, then event, hall, speaker and title as far as they are known.
#[must_use]
pub fn file_name(number: u64, label: &Label, stream: &str) -> String {
    let mut name = format!("{number:05}");
    let parts = [&label.event, &label.hall, &label.speaker, &label.title];
    for part in parts.into_iter().zip(PARTS).map(|(part, most)| safe(part, most)).filter(|part| !part.is_empty()) {
        name.push('_');
        name.push_str(&part);
    }
    if stream != PROGRAMME {
        name.push('_');
        name.push_str(&safe(stream, 10));
    }
    name + ".ts"
}

/// One part: what a disk or a shell could stumble over becomes `-`, and spaces too, so that a name is
/// one word.
fn safe(text: &str, most: usize) -> String {
    let mut safe = String::new();
    for c in text.trim().chars() {
        let c = if forbidden(c) { '-' } else { c };
        if c == '-' && (safe.is_empty() || safe.ends_with('-')) {
            continue;
        }
        if safe.len() + c.len_utf8() > most {
            break;
        }
        safe.push(c);
    }
    // Windows drops a dot at the end, and nobody wants to see the dash
    safe.trim_matches(['-', '.']).to_owned()
}

fn forbidden(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || "/\\:*?\"<>|_`$;&'!#%~".contains(c)
        // invisible characters and those that turn the reading direction: a name must look like itself
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(event: &str, hall: &str, speaker: &str, title: &str) -> Label {
        Label {
            event: event.into(),
            hall: hall.into(),
            speaker: speaker.into(),
            title: title.into(),
            ..Label::default()
        }
    }

    #[test]
    fn a_name_says_event_hall_speaker_and_title_in_any_script() {
        let chinese = label("心血管年会 2026", "主会场", "张三", "冠脉介入：新进展");
        assert_eq!(file_name(12, &chinese, "main"), "00012_心血管年会-2026_主会场_张三_冠脉介入：新进展.ts");
        let english = label("", "Hall 1", "Ann O'Neil", "Why? / How");
        assert_eq!(file_name(3, &english, "slides"), "00003_Hall-1_Ann-O-Neil_Why-How_slides.ts");
        assert_eq!(file_name(0, &Label::default(), "main"), "00000.ts");
    }

    #[test]
    fn nothing_leads_out_of_the_folder_or_hides() {
        let evil = label("../../etc", ".hidden", "-rf", "a\u{202e}b\nc\0d");
        assert_eq!(file_name(1, &evil, "main"), "00001_etc_hidden_rf_a-b-c-d.ts");
    }

    proptest::proptest! {
        #[test]
        fn every_name_fits_every_disk(parts in proptest::collection::vec("\\PC{0,200}", 4), number: u64) {
            let name = file_name(number, &label(&parts[0], &parts[1], &parts[2], &parts[3]), "backup");

            proptest::prop_assert!(name.len() <= 255, "{} bytes", name.len());
            proptest::prop_assert!(!name.contains(['/', '\\', '\0', ' ', '"']), "{}", name);
        }
    }
}
