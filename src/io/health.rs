//! Reads processor, memory, temperature and disk at a pace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sysinfo::{Components, Disks, System};

use crate::health::Sample;
use crate::io::task::Ends;
use crate::message::What;
use crate::units::{Bytes, Celsius, Percent};

/// How often: a box warms up over minutes, and a reading costs a few milliseconds.
const PACE: Duration = Duration::from_secs(5);

/// States a [`Sample`] every few seconds until everybody ends; `state_dir` lies on the disk that counts.
///
/// # Errors
/// If the reading thread panicked.
pub async fn run(state_dir: PathBuf, mut ends: Ends) -> anyhow::Result<()> {
    let mut machine = Machine::open(state_dir);
    // the processor's load is a difference between two readings: the first pause is the shortest that gives one
    let mut pause = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ends.shutdown() => return Ok(()),
        }
        let (read, sample) = tokio::task::spawn_blocking(move || {
            let sample = machine.read();
            (machine, sample)
        })
        .await?;
        machine = read;
        ends.measure(What::Sampled(sample));
        pause = PACE;
    }
}

struct Machine {
    system: System,
    components: Components,
    disks: Disks,
    state_dir: PathBuf,
}

impl Machine {
    fn open(state_dir: PathBuf) -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        let state_dir = state_dir.canonicalize().unwrap_or(state_dir);
        Self { system, components: Components::new(), disks: Disks::new(), state_dir }
    }

    fn read(&mut self) -> Sample {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.components.refresh(true);
        self.disks.refresh(true);
        let (disk_free, disk_total) = self.disk();
        Sample {
            cpu: Percent(f64::from(self.system.global_cpu_usage())),
            memory: Percent(self.system.used_memory() as f64 / self.system.total_memory().max(1) as f64 * 100.0),
            temperature: self
                .components
                .iter()
                .filter_map(sysinfo::Component::temperature)
                .filter(|hot| hot.is_finite())
                .reduce(f32::max)
                .map(|hot| Celsius(f64::from(hot))),
            disk_free,
            disk_total,
            uptime: System::uptime(),
        }
    }

    /// The disk whose mount point is the longest that the state folder lies below.
    fn disk(&self) -> (Bytes, Bytes) {
        let holds = |mount: &Path| self.state_dir.starts_with(mount);
        self.disks
            .iter()
            .filter(|disk| holds(disk.mount_point()))
            .max_by_key(|disk| disk.mount_point().as_os_str().len())
            .map_or((Bytes(0), Bytes(0)), |disk| (Bytes(disk.available_space()), Bytes(disk.total_space())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_of_this_machine_is_plausible() {
        let mut machine = Machine::open(std::env::temp_dir());

        let sample = machine.read();

        assert!((0.0..=100.0).contains(&sample.cpu.0), "{sample:?}");
        assert!(sample.memory.0 > 0.0 && sample.memory.0 < 100.0, "{sample:?}");
        assert!(sample.uptime > 0);
        assert!(sample.disk_free <= sample.disk_total, "{sample:?}");
    }
}
