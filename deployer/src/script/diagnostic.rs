//! The closed list of looks that an operator can ask for by name: `bash/diagnose.sh` has the arguments of each.

/// A look on the host or in a container: it changes nothing and takes no argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostic {
    /// The GPU's table.
    NvidiaSmi,
    /// All containers.
    DockerPs,
    /// What the containers use now.
    DockerStats,
    /// What Docker keeps on the disk.
    DockerDisk,
    /// The file systems.
    Disk,
    /// The host's memory.
    Memory,
    /// Programs, of the host or of a container.
    Processes,
    /// What the gateway says of itself.
    GatewayHealth,
    /// The gateway's metrics.
    GatewayMetrics,
    /// What the model server serves.
    VllmModels,
    /// The model server's metrics.
    VllmMetrics,
    /// Docker's journal.
    JournalDocker,
    /// The kernel's.
    JournalKernel,
}

impl Diagnostic {
    /// All of them, as they are listed.
    pub const ALL: [Self; 13] = [
        Self::NvidiaSmi,
        Self::Disk,
        Self::Memory,
        Self::Processes,
        Self::DockerPs,
        Self::DockerStats,
        Self::DockerDisk,
        Self::GatewayHealth,
        Self::GatewayMetrics,
        Self::VllmModels,
        Self::VllmMetrics,
        Self::JournalDocker,
        Self::JournalKernel,
    ];

    /// Its name, for the operator and for the host.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NvidiaSmi => "nvidia-smi",
            Self::DockerPs => "docker-ps",
            Self::DockerStats => "docker-stats",
            Self::DockerDisk => "docker-disk",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::GatewayHealth => "gateway-health",
            Self::GatewayMetrics => "gateway-metrics",
            Self::VllmModels => "vllm-models",
            Self::VllmMetrics => "vllm-metrics",
            Self::JournalDocker => "journal-docker",
            Self::JournalKernel => "journal-kernel",
        }
    }

    /// What it shows, for a person.
    #[must_use]
    pub const fn shows(self) -> &'static str {
        match self {
            Self::NvidiaSmi => "the GPU: memory, load, temperature, programs",
            Self::DockerPs => "all containers, their state and image",
            Self::DockerStats => "CPU, memory and network of the containers that run",
            Self::DockerDisk => "what images, containers and volumes take",
            Self::Disk => "file systems, and what is free (df)",
            Self::Memory => "memory of the host in MiB (free)",
            Self::Processes => "programs by CPU, without their arguments; with --service those of a container",
            Self::GatewayHealth => "what the gateway says of itself; ends with 1 unless it is ready",
            Self::GatewayMetrics => "the gateway's counters and sums",
            Self::VllmModels => "which models the model server serves (/v1/models)",
            Self::VllmMetrics => "the model server's counters and sums",
            Self::JournalDocker => "the last lines of Docker's journal",
            Self::JournalKernel => "the last lines of the kernel: out of memory, GPU errors (Xid)",
        }
    }

    /// Can be asked of a service's container.
    #[must_use]
    pub const fn takes_service(self) -> bool {
        matches!(self, Self::Processes)
    }
}
