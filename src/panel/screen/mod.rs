//! Every screen: Status in, a page out.

mod access;
mod action;
mod agenda;
mod alarms;
mod audio;
mod health;
mod home;
mod links;
mod outputs;
mod picture;
mod settings;
mod view;

pub(super) use action::{Armed, Holding, armed, holding, notice, silent};
pub(super) use settings::Setting;
pub(super) use view::{View, degraded};

use super::page::Page;
use super::place::{Place, Screen};

/// The page of a place.
pub(super) fn page(view: &View<'_>, place: Place) -> Page {
    match (place.screen, place.inside) {
        (Screen::Home, _) => home::home(view),
        (Screen::Links, None) => links::links(view),
        (Screen::Links, Some(index)) => links::link(view, index),
        (Screen::Audio, _) => audio::audio(view),
        (Screen::Picture, _) => picture::picture(view),
        (Screen::Agenda, _) => agenda::agenda(view),
        (Screen::Outputs, _) => outputs::outputs(view),
        (Screen::Health, _) => health::health(view),
        (Screen::Access, None) => access::access(view),
        (Screen::Access, Some(_)) => access::code(view),
        (Screen::Settings, chosen) => settings::settings(view, chosen),
        (Screen::Alarms, index) => alarms::alarm(view, index.unwrap_or(0)),
    }
}
