//! Row: one talk as a file wrote it, in the file's own words.

/// One talk as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Row {
    /// File and line, or file and number, for faults.
    pub(super) place: String,
    pub(super) hall: String,
    pub(super) speaker: String,
    pub(super) title: String,
    /// The day, if it has a field of its own.
    pub(super) date: String,
    pub(super) start: Written,
    pub(super) end: Written,
    /// Record, stream, publish; empty: nothing said.
    pub(super) allowed: [String; 3],
}

/// A time as it was written, with its own zone if it named one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) zone: Option<String>,
}

impl Written {
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.trim().to_owned(), zone: None }
    }
}

/// What a column or key means, in the words people use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Hall,
    Speaker,
    Title,
    Date,
    Start,
    End,
    Record,
    Stream,
    Publish,
}

impl Field {
    const NAMES: [(Self, &'static [&'static str]); 9] = [
        (Self::Hall, &["hall", "room", "会场", "分会场", "厅"]),
        (Self::Speaker, &["speaker", "讲者", "演讲者", "演讲人", "嘉宾", "主讲人"]),
        (Self::Title, &["title", "talk", "topic", "题目", "标题", "主题", "演讲题目"]),
        (Self::Date, &["date", "day", "日期"]),
        (Self::Start, &["start", "starts", "begin", "time", "开始", "开始时间", "时间"]),
        (Self::End, &["end", "ends", "结束", "结束时间"]),
        (Self::Record, &["record", "录制", "录像"]),
        (Self::Stream, &["stream", "live", "直播"]),
        (Self::Publish, &["publish", "公开", "发布", "回放"]),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        Self::NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(field, _)| *field)
    }
}

impl Row {
    pub(super) fn set(&mut self, field: Field, text: &str) {
        let text = text.trim();
        match field {
            Field::Hall => self.hall = text.to_owned(),
            Field::Speaker => self.speaker = text.to_owned(),
            Field::Title => self.title = text.to_owned(),
            Field::Date => self.date = text.to_owned(),
            Field::Start => self.start = Written::plain(text),
            Field::End => self.end = Written::plain(text),
            Field::Record => self.allowed[0] = text.to_owned(),
            Field::Stream => self.allowed[1] = text.to_owned(),
            Field::Publish => self.allowed[2] = text.to_owned(),
        }
    }

    /// Nothing at all was written: a line of commas at the end of a sheet.
    pub(super) fn is_blank(&self) -> bool {
        [&self.hall, &self.speaker, &self.title, &self.date, &self.start.text, &self.end.text]
            .iter()
            .all(|text| text.is_empty())
    }
}
