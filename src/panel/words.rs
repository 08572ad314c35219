//! Every word of the panel, in Chinese and English: one table.
//!
//! `{}` stands for a figure or a name. The displays of 20 × 4 characters show English only.

use crate::lang::{Lang, Text};

macro_rules! words {
    ($($name:ident = $zh:literal, $en:literal;)*) => {
        /// A word or a sentence of the panel.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Word { $(#[doc = $en] $name,)* }

        impl Word {
            /// All of them.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// In `lang`.
            pub(super) const fn get(self, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Self::$name, Lang::Zh) => $zh, (Self::$name, Lang::En) => $en,)*
                }
            }
        }
    };
}

words! {
    // the phases
    Standby = "待机", "READY";
    Starting = "开播中", "STARTING";
    Live = "直播中", "ON AIR";
    Stopping = "停播中", "STOPPING";
    OnAirMark = "直播", "AIR";
    Locked = "锁", "LOCK";
    Program = "切出", "PGM";
    Preview = "预监", "PVW";

    // home
    SlateMark = "垫片", "SLATE";
    Fine = "一切正常", "all in order";
    HoldToStart = "按住[直播]1秒开播", "hold ON AIR = start";
    SlateOnAir = "再按[垫片]切回", "SLATE again = back";
    SlateForLost = "信号丢失，垫片代替", "source lost; slate stands in";
    FarEndSilent = "远端未确认", "far end not confirmed";
    Rec = "录", "REC";

    // links
    Links = "链路", "LINKS";
    Together = "合计可用", "together";
    LinkDown = "断开", "DOWN";
    LinkSuspect = "无响应", "DEAD";
    LinkRegistering = "登记中", "registering";
    LinkProbing = "探测中", "probing";
    LinkUp = "正常", "up";
    Interface = "网口", "port";
    Address = "地址", "address";
    Carries = "实发/容量", "rate/room";
    RoundTrip = "往返", "round trip";
    Loss = "丢包", "loss";
    Sent = "已发", "sent";
    Metered = "计费", "metered";
    Yes = "是", "yes";
    No = "否", "no";
    NoLinks = "本机没有配置链路", "this board has no links";

    // sound
    Audio = "音频", "AUDIO";
    LineOnAir = "播出", "ON AIR";
    LineStandby = "待命", "standby";
    LineSilent = "没有信号", "NO SIGNAL";
    NoLines = "本机没有音频输入", "this board has no mixer line";
    PressAudio = "按[音频]切换", "AUDIO key = swap";
    Peaks = "峰值{} 真峰{}", "peak {} true {}";
    PeaksShort = "峰{} 真{}", "pk{} tp{}";
    ShortTerm = "{}LUFS", "{}LUFS";
    Programme = "节目", "PGM";
    Loudness = "短时{} 全程{} LUFS", "now {} all {} LUFS";
    LoudnessShort = "瞬{} 全{}", "M{} I{}";
    Muted = "已静音：观众听不到声音", "MUTED: viewers hear nothing";
    SwitchedAway = "已自动切换", "switched by itself";
    Unplugged = "线被拔掉", "lead pulled";
    SilentLine = "没有声音", "silent";
    DeadChannel = "一个声道无声", "one channel dead";
    Clipping = "削波失真", "clipping";
    DcOffset = "直流偏移", "DC offset";
    Hum = "交流声", "hum";
    MicLevel = "话筒电平", "microphone level";
    Polarity = "声道反相", "channels in antiphase";
    Howl = "啸叫", "howl";
    Glitches = "丢样爆音", "clicks";
    LineFine = "声音正常", "sound is good";

    // the picture
    Picture = "画面", "PICTURE";
    Layout = "布局", "layout";
    LayoutCamera = "摄像机", "camera";
    LayoutSlides = "幻灯片", "slides";
    LayoutPip = "画中画", "inset";
    LayoutSides = "并排", "split";
    LayoutCamera2 = "摄像机2", "camera 2";
    LayoutThree = "三分屏", "three";
    Camera = "摄像机", "camera";
    Camera2 = "摄像机2", "camera 2";
    Slides = "幻灯片", "slides";
    Present = "正常", "ok";
    Absent = "丢失", "LOST";
    PushToChange = "按旋钮更换布局", "push knob to change";

    // who speaks
    Agenda = "议程", "AGENDA";
    Now = "现在", "NOW";
    Then = "下一位", "NEXT";
    Talk = "第{}场", "talk {}";
    NoAgendaFile = "没有议程文件；按[下一位]录像换新段", "no agenda; NEXT begins a new segment";
    BeforeFirst = "尚未开始", "not begun";
    AfterLast = "议程已结束", "the agenda is over";
    NoRecord = "不许录像", "no recording";
    NoPublish = "不许公开", "not to publish";
    NoStream = "不许直播", "not to stream";
    PressNext = "按[下一位]切换", "NEXT key = next speaker";
    MarkedNow = "下一位已开始", "NEXT SPEAKER";
    MarkedShort = "已切换", "MARKED";
    NewSegment = "录像从这里换新段", "a new segment begins here";
    MarkedUndo = "下一位=撤销", "NEXT=undo";
    MarkedDone = "确认=完成", "ACK=done";
    Undone = "已撤销，仍是上一位", "taken back; the one before goes on";

    // the machine
    Health = "存储与设备", "STORAGE";
    Recording = "录像", "recording";
    NotRecording = "未录制", "off";
    RecordingFails = "录不了！", "FAILS!";
    NotAllowed = "演讲者不许录像", "the speaker forbids it";
    Minutes = "{}/{}分钟", "{}/{} min";
    RoomLeft = "还可录", "room for";
    Segments = "已存段数", "segments";
    DiskFree = "磁盘剩余", "disk free";
    Cpu = "处理器", "cpu";
    Memory = "内存", "memory";
    Hottest = "温度", "hottest";
    Uptime = "已开机", "powered";
    Encoder = "编码器", "encoder";
    NotMeasured = "尚未测量", "not measured yet";
    Hours = "{}小时{}分", "{} h {} min";

    // the ways out
    Outputs = "输出", "OUTPUTS";
    NoOutputs = "没有输出状态", "nothing is known of the outputs";
    Main = "主路", "main";
    Backup = "备用", "backup";
    OutputIdle = "未用", "idle";
    OutputOpening = "连接中", "opening";
    OutputOpen = "正常", "open";
    OutputFailed = "断开", "FAILED";
    OutputReduced = "已让出", "given up";
    DelayIs = "延时", "delay";
    Dumped = "已掐断，垫片代替", "dumped: the slate stands in";
    GivenUp = "为保直播已让出：{}", "given up for the live: {}";
    PreviewStream = "预览", "preview";
    Upload = "上传", "upload";
    PressBackup = "按[备用]切换", "BACKUP key = switch";

    // alarms
    Alarms = "告警", "ALARM";
    NoAlarms = "没有告警", "no alarms";
    Critical = "严重", "CRITICAL";
    Major = "重要", "MAJOR";
    Minor = "次要", "MINOR";
    Warning = "提醒", "WARNING";
    Stands = "已持续", "stands for";
    Acknowledged = "已确认", "acknowledged";
    PressAck = "按[确认]消音并返回", "ACK = seen, home";

    // the way to the console
    Access = "访问", "ACCESS";
    Box = "本机", "box";
    Console = "控制台", "console";
    NoConsole = "未设置控制台网址（配置项console）", "no console address is set (key: console)";
    PushForCode = "按旋钮显示二维码", "push knob for QR code";
    NoCodeHere = "此屏无法显示二维码，请输入网址", "no QR code fits here; type the address";

    // settings
    Settings = "设置", "SETTINGS";
    Language = "语言", "language";
    LanguageName = "中文", "English";
    Buzzer = "蜂鸣器", "buzzer";
    Brightness = "亮度", "brightness";
    On = "开", "on";
    Off = "关", "off";
    Firmware = "版本", "version";
    PushToEnter = "按旋钮进入", "push knob to enter";
    PushToSet = "转动选择，按下更改", "push = change";

    // what waits for a second press, and what is held
    HoldStart = "继续按住开播", "HOLDING TO START";
    HoldStop = "继续按住停播", "HOLDING TO STOP";
    StartMeans = "观众将看到画面和声音", "viewers will see and hear the hall";
    StopMeans = "观众的画面和声音将中断", "viewers lose picture and sound";
    HoldLock = "继续按住锁定", "HOLDING TO LOCK";
    HoldUnlock = "继续按住解锁", "HOLDING TO UNLOCK";
    LockMeans = "锁定后不能停播、换布局、改设置", "locked: no stop, layout or settings";
    UnlockMeans = "解锁后所有按键可用", "unlocked: every key works";
    LetGoToCancel = "松开取消", "let go = cancel";
    SwapAudio = "切到{}路音频？", "SWAP TO LINE {}?";
    SwapShort = "切到{}路？", "TO LINE {}?";
    Silent = "无信号!", "SILENT!";
    SwapMeans = "声音不中断", "no gap, no click";
    SwapToSilence = "观众将听不到声音！", "viewers hear nothing";
    SwapDo = "再按[音频]执行", "AUDIO=do  ACK=cancel";
    ToBackup = "切到备用输出？", "SWITCH TO BACKUP?";
    ToBackupShort = "切到备用？", "TO BACKUP?";
    ToMain = "切回主路输出？", "SWITCH TO MAIN?";
    ToMainShort = "切回主路？", "TO MAIN?";
    SwitchMeans = "在关键帧处切换，不中断", "cut at a key picture";
    SwitchMarks = "无节目出口，只换标记", "no programme output";
    SwitchLoses = "未连接，观众会中断！", "NOT OPEN: viewers lose";
    BackupDo = "再按[备用]执行", "BACKUP=do";
    ChangeLayout = "更换布局？", "CHANGE PICTURE?";
    ChangeShort = "换布局？", "PICTURE?";
    LayoutMeans = "立即换，声音不变", "cut now, sound stays";
    LayoutToLost = "无信号，将播垫片！", "no signal: SLATE!";
    LayoutDo = "再按旋钮执行", "push=do   ACK=cancel";
    AckCancels = "[确认]取消", "ACK = cancel";

    // what the panel says for a moment
    LetGoStart = "松开过早，未开播", "let go early; not started";
    LetGoStop = "松开过早，直播继续", "let go early; still on air";
    IsLocked = "面板已锁定：按住旋钮1秒解锁", "the panel is locked: hold the knob 1 s";
    NowLocked = "已锁定", "locked";
    NowUnlocked = "已解锁", "unlocked";
    NoBackup = "没有设置备用输出，未做任何操作", "no backup output is set up; nothing was done";
    OneLine = "本机只有一路音频，无法切换", "this board has one mixer line; nothing to swap";
    OneLayout = "本机只有一种布局", "this board has one layout only";
    Expired = "10秒无操作，已取消", "10 s without a key; cancelled";

    // without the engine
    Restarting = "引擎重启中 {}秒", "ENGINE RESTARTING {} s";
    RestartingShort = "重启中 {}秒", "RESTARTING {} s";
    RestartMeans = "直播程序正在自动恢复，请勿断电", "the box comes back by itself; keep it powered";
    Seconds = "{}秒", "{} s";
}

impl Word {
    /// With its gaps filled, in order.
    pub(super) fn fill(self, lang: Lang, with: &[&str]) -> String {
        let mut pieces = self.get(lang).split("{}");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for (piece, value) in pieces.zip(with) {
            out.push_str(value);
            out.push_str(piece);
        }
        out
    }

    /// In both languages.
    pub(super) fn text(self) -> Text {
        Text::new(self.get(Lang::Zh), self.get(Lang::En))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_in_both_languages_and_the_english_is_plain_ascii() {
        for word in Word::ALL {
            assert!(!word.get(Lang::Zh).is_empty() && word.get(Lang::En).is_ascii(), "{word:?}");
            let gaps = |lang| word.get(lang).matches("{}").count();
            assert_eq!(gaps(Lang::Zh), gaps(Lang::En), "{word:?}");
        }
    }

    #[test]
    fn gaps_are_filled_in_order() {
        assert_eq!(Word::Hours.fill(Lang::En, &["3", "20"]), "3 h 20 min");
    }
}
