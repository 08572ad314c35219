use std::fmt::Write as _;
use std::fs;

use livebox::lang::Lang;
use livebox::media::{Line, OutputId};
use livebox::message::{Ask, Part, Phase, What};
use livebox::panel::{Format, Key, Place, Screen};

use super::screens::{SCENES, files, tongues};
use super::stories::Desk;
use super::{blessing, root};

/// What a hand does once: the words of the manual, and the deed.
#[derive(Clone, Copy)]
enum Action {
    Press(Key),
    Hold(Key, u64),
    Turn(i32),
}

use Action::{Hold, Press, Turn};

/// A task: in two languages, from where, what a hand does, and how it is known to be done.
struct Task {
    zh: &'static str,
    en: &'static str,
    from: fn() -> Desk,
    actions: &'static [Action],
    done: fn(&mut Desk) -> bool,
}

/// The ten commonest tasks at a live, and each takes three actions at most.
const TASKS: [Task; 10] = [
    Task {
        zh: "开始直播",
        en: "go on air",
        from: Desk::ready,
        actions: &[Hold(Key::OnAir, 1000)],
        done: |desk| desk.phase() == Phase::Starting,
    },
    Task {
        zh: "停止直播",
        en: "leave the air",
        from: Desk::live,
        actions: &[Hold(Key::Knob, 1000), Hold(Key::OnAir, 3000)],
        done: |desk| desk.phase() == Phase::Stopping,
    },
    Task {
        zh: "切到垫片，再切回",
        en: "cut to the slate, and back",
        from: Desk::live,
        actions: &[Press(Key::Slate), Press(Key::Slate)],
        done: |desk| desk.asked == [Ask::Slate { on: true }, Ask::Slate { on: false }],
    },
    Task {
        zh: "下一位演讲者",
        en: "the next speaker",
        from: Desk::live,
        actions: &[Press(Key::Next)],
        done: |desk| desk.asked == [Ask::NextSpeaker] && desk.reads().contains("NEXT SPEAKER"),
    },
    Task {
        zh: "切换音频线路",
        en: "take the other mixer line",
        from: Desk::live,
        actions: &[Press(Key::Audio), Press(Key::Audio)],
        done: |desk| desk.house.status().programme.line == Line::B,
    },
    Task {
        zh: "切到备用输出",
        en: "switch to the backup output",
        from: Desk::with_backup,
        actions: &[Press(Key::Backup), Press(Key::Backup)],
        done: |desk| desk.asked == [Ask::Activate { output: OutputId::Backup }],
    },
    Task {
        zh: "查看并确认告警",
        en: "read an alarm and silence it",
        from: alarmed,
        actions: &[Press(Key::Ack)],
        done: |desk| desk.house.status().alarms.iter().all(|alarm| alarm.acknowledged),
    },
    Task {
        zh: "查看各条链路，再看音频电平",
        en: "see every link, then the levels",
        from: Desk::live,
        actions: &[Turn(1), Turn(1)],
        done: |desk| desk.seen.iter().any(|text| text.contains("LINKS 3/3")) && desk.reads().contains("A ON AIR"),
    },
    Task {
        zh: "显示控制台二维码",
        en: "show the console's QR code",
        from: Desk::live,
        actions: &[Press(Key::Knob)],
        done: |desk| {
            let page = desk.panel.page(desk.house.now, Format::Mono);
            page.code.is_some_and(|code| livebox::panel::shows_code(&code, Format::Mono))
        },
    },
    Task {
        zh: "更换画面布局",
        en: "change the picture's layout",
        from: Desk::ready,
        actions: &[Turn(3), Press(Key::Knob), Press(Key::Knob)],
        done: |desk| matches!(desk.asked.as_slice(), [Ask::Layout { .. }]),
    },
];

/// The alarm's page came by itself: its cause and what to do are read before anything is done.
fn alarmed() -> Desk {
    let mut desk = Desk::live();
    let what = What::SourceLost {
        source: livebox::media::SourceId::Camera,
        cause: livebox::message::LossCause::NoSignal,
        detail: livebox::lang::said::no_signal(),
    };
    desk.house.says(Part::Media, what);
    desk.passes(1500);
    let read = desk.reads().replace('\n', " ");
    assert!(read.contains("the camera gives") && read.contains("check the device's"), "{read}");
    desk
}

fn key(key: Key, lang: Lang) -> &'static str {
    match (key, lang) {
        (Key::OnAir, Lang::Zh) => "[直播]",
        (Key::OnAir, Lang::En) => "ON AIR",
        (Key::Backup, Lang::Zh) => "[备用]",
        (Key::Backup, Lang::En) => "BACKUP",
        (Key::Audio, Lang::Zh) => "[音频]",
        (Key::Audio, Lang::En) => "AUDIO",
        (Key::Slate, Lang::Zh) => "[垫片]",
        (Key::Slate, Lang::En) => "SLATE",
        (Key::Next, Lang::Zh) => "[下一位]",
        (Key::Next, Lang::En) => "NEXT",
        (Key::Ack, Lang::Zh) => "[确认]",
        (Key::Ack, Lang::En) => "ACK",
        (Key::Knob, Lang::Zh) => "旋钮",
        (Key::Knob, Lang::En) => "the knob",
    }
}

fn told(action: Action, lang: Lang) -> String {
    match (action, lang) {
        (Press(k), Lang::Zh) => format!("按{}", key(k, lang)),
        (Press(k), Lang::En) => format!("press {}", key(k, lang)),
        (Hold(k, ms), Lang::Zh) => format!("按住{} {} 秒", key(k, lang), ms / 1000),
        (Hold(k, ms), Lang::En) => format!("hold {} {} s", key(k, lang), ms / 1000),
        (Turn(n), Lang::Zh) => format!("旋钮右转 {n} 格"),
        (Turn(n), Lang::En) => format!("turn the knob right, {n}"),
    }
}

#[test]
fn each_of_the_ten_commonest_tasks_is_done_with_three_actions_at_most() {
    for task in &TASKS {
        assert!((1..=3).contains(&task.actions.len()), "{}", task.en);
        let mut desk = (task.from)();
        if task.en != "read an alarm and silence it" {
            assert_eq!(desk.panel.place(), Place::HOME, "{}", task.en);
        }

        for action in task.actions {
            // the time that a person needs between two actions
            desk.passes(600);
            desk.seen.push(desk.reads());
            match *action {
                Press(key) => desk.press(key),
                Hold(key, millis) => desk.hold(key, millis),
                Turn(clicks) => desk.turn(clicks),
            }
        }

        assert!((task.done)(&mut desk), "{}: {}", task.en, desk.reads());
    }
}

/// Captions of the screens, in the order of [`SCENES`], and the page without an engine.
const CAPTIONS: [(&str, &str); 33] = [
    ("待机：一切就绪", "Home, ready"),
    ("直播中", "Home, on air"),
    ("直播中，有故障：标题闪烁", "Home, on air and harmed: the headline blinks"),
    ("垫片播出中", "Home, slate on air"),
    ("链路（旋钮右转 1 格）", "Links (knob right, 1)"),
    ("单条链路（再按旋钮，转动选择）", "One link (push, turn to choose)"),
    ("音频（右转 2 格）", "Audio (right, 2)"),
    ("音频：一路没有声音，另一路有交流声", "Audio: one line without a sound, hum on the other"),
    ("画面（右转 3 格）", "Picture (right, 3)"),
    ("议程（右转 4 格）", "Agenda (right, 4)"),
    ("没有议程时", "Without an agenda"),
    ("输出（右转 5 格）", "Outputs (right, 5)"),
    ("输出：备用断开，已让出一部分", "Outputs: the backup has failed, something was given up"),
    ("录像、存储与设备（右转 6 格）", "Recording, storage and machine (right, 6)"),
    ("没有录像时", "Without a recording"),
    ("访问（右转 7 格）", "Access (right, 7)"),
    ("控制台二维码（在首页按旋钮）", "QR code of the console (push the knob at home)"),
    ("设置（右转 8 格）", "Settings (right, 8)"),
    ("更改设置（按旋钮进入）", "Change a setting (push to enter)"),
    ("告警原因与处理（自动弹出；首页左转 1 格）", "Alarm: cause and mend (comes by itself; left, 1)"),
    ("没有告警", "No alarm"),
    ("按住[直播] 1 秒开播", "Hold ON AIR 1 s to start"),
    ("按住[直播] 3 秒停播", "Hold ON AIR 3 s to stop"),
    ("按住旋钮锁定或解锁", "Hold the knob to lock or unlock"),
    ("[音频]：先看后果，再按执行", "AUDIO: what would happen, again = do"),
    ("另一路没有声音时的提醒", "The warning when the other line is silent"),
    ("更换布局：先看后果，再按执行", "Change the picture: what would happen, push = do"),
    ("锁定时的提示", "While it is locked"),
    ("[备用]：先看后果，再按执行", "BACKUP: what would happen, again = do"),
    ("备用没有连接时的提醒", "The warning when the backup is not open"),
    ("没有设置备用输出", "No backup output is set up"),
    ("[下一位]：立即切换，10 秒内再按撤销", "NEXT: done at once; again within 10 s takes it back"),
    ("引擎重启中", "The engine restarts"),
];

#[test]
fn the_manual_holds_the_tasks_that_were_performed_and_every_picture() {
    let mut tasks = String::from("| 任务 | 操作 | task | actions |\n|---|---|---|---|\n");
    for task in &TASKS {
        let all = |lang| task.actions.iter().map(|action| told(*action, lang)).collect::<Vec<_>>().join(" → ");
        writeln!(tasks, "| {} | {} | {} | {} |", task.zh, all(Lang::Zh), task.en, all(Lang::En)).unwrap();
    }
    let mut screens = String::new();
    let names = SCENES.iter().map(|scene| scene.0).chain(["restarting"]);
    for (name, (zh, en)) in names.zip(CAPTIONS) {
        writeln!(screens, "### {zh} · {en}\n").unwrap();
        for format in Format::ALL {
            for lang in tongues(format) {
                let pictures = files(name, *lang, format);
                assert!(!pictures.is_empty(), "{name} has no picture");
                for path in pictures {
                    write!(screens, "![{en}](../{}) ", path.display()).unwrap();
                }
            }
        }
        screens.push_str("\n\n");
    }

    let path = root().join("docs/panel.md");
    let manual = fs::read_to_string(&path).unwrap();
    let fresh = replaced(&replaced(&manual, "tasks", &tasks), "screens", screens.trim_end());
    if blessing() {
        fs::write(&path, &fresh).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == fresh,
        "docs/panel.md tells otherwise; LIVEBOX_BLESS=1 writes it anew"
    );
    assert_eq!(Screen::ALL.len(), 10, "a new screen stands in the manual");
}

/// The text with what stands between two marks replaced.
fn replaced(text: &str, mark: &str, by: &str) -> String {
    let (begin, end) = (format!("<!-- {mark}: written by the tests -->\n"), format!("<!-- end of {mark} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("docs/panel.md lacks {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/panel.md lacks {end}"));
    format!("{before}{begin}{}\n{end}{after}", by.trim_end())
}

#[test]
fn a_script_plays_a_hand_at_a_status_file_and_writes_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let status = serde_json::to_string(&super::live()).unwrap();
    fs::write(folder.path().join("now.json"), status).unwrap();
    let hand = "status now.json\npress audio\npicture armed\nwait 1s\npress audio\nhold knob 1s\nhold on_air 3s\n";
    fs::write(folder.path().join("hand.txt"), hand).unwrap();
    let livebox = |display: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_livebox"));
        command.arg("panel").arg("--script").arg(folder.path().join("hand.txt"));
        command
            .arg("--out")
            .arg(folder.path().join(display))
            .args(["--display", display, "--lang", "en"])
            .output()
            .unwrap()
    };

    for display in ["128x64", "320x240", "20x4"] {
        let told = livebox(display);
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let asked: Vec<_> =
            text.lines().filter(|line| line.contains("verb")).map(|line| line.split("  ").last().unwrap()).collect();
        // a box that is on air when the panel first hears of it is locked: the first hold of the knob unlocks
        assert_eq!(asked, [r#"{"verb":"audio","line":"b"}"#, r#"{"verb":"stop"}"#], "{text}");
        assert!(fs::read(folder.path().join(display).join("armed.png")).unwrap().starts_with(b"\x89PNG"));
    }
    fs::write(folder.path().join("hand.txt"), "press everything\n").unwrap();
    let wrong = livebox("128x64");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("hand.txt:1: \"everything\" is no key"));
}

#[test]
fn boards_and_panel_call_keys_and_lamps_by_the_same_names() {
    let keys: Vec<_> = Key::ALL.map(Key::name).into_iter().chain(["tally_program", "tally_preview"]).collect();

    assert_eq!(livebox::board::KEYS.to_vec(), keys);
    assert_eq!(livebox::board::LAMPS, livebox::panel::LAMPS);
}
