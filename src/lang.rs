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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
            other => other,
        };
        Text::new(format!("画面布局：{zh}"), format!("layout: {name}"))
    }

    /// Another mixer line is on air.
    #[must_use]
    pub fn line(name: &str) -> Text {
        Text::new(format!("音频切换到 {name} 路"), format!("mixer line {name} on air"))
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
