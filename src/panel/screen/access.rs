//! Access: the way to the console, as an address and as a QR code.

use qrcode::{Color, EcLevel, QrCode};

use super::view::View;
use crate::panel::page::{Code, Page, Tone};
use crate::panel::words::Word;

/// Name, console and addresses.
pub(in crate::panel) fn access(view: &View<'_>) -> Page {
    let mut page = view.page(view.say(Word::Access));
    page.line(view.say(Word::Box), view.status.device.clone(), Tone::Plain);
    match address(view) {
        Some(url) => {
            page.words(url, Tone::Good);
            page.words(view.say(Word::PushForCode), Tone::Faint);
        }
        None => page.words(view.say(Word::NoConsole), Tone::Faint),
    }
    for link in view.status.links.iter().filter(|link| !link.metered) {
        if let Some(address) = &link.address {
            page.line(link.slot.clone(), address.clone(), Tone::Plain);
        }
    }
    page
}

/// The code of the console's address; where it does not fit, the address itself.
pub(in crate::panel) fn code(view: &View<'_>) -> Page {
    let mut page = view.page(view.say(Word::Console));
    let Some(url) = address(view) else {
        page.words(view.say(Word::NoConsole), Tone::Faint);
        return page;
    };
    // the lowest level of correction: a display has no stains, and a smaller code is read from further away
    page.code = QrCode::with_error_correction_level(&url, EcLevel::L).ok().map(|code| Code {
        side: code.width(),
        dark: code.to_colors().into_iter().map(|color| color == Color::Dark).collect(),
    });
    page.words(url, Tone::Good);
    page.words(view.say(Word::NoCodeHere), Tone::Faint);
    page
}

/// The console's address with the gaps of its pattern filled; none if there is none, or no address for it.
fn address(view: &View<'_>) -> Option<String> {
    if view.console.is_empty() {
        return None;
    }
    let own = view.status.links.iter().filter(|link| link.carrier).find_map(|link| link.address.as_deref());
    if view.console.contains("{address}") && own.is_none() {
        return None;
    }
    Some(view.console.replace("{address}", own.unwrap_or_default()).replace("{name}", &view.status.device))
}
