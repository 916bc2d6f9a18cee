//! The closed list of diagnostics that an operator can run by name. `bash/diagnose.sh` has the arguments of each.

/// A diagnostic on the host or in a container. It changes nothing and takes no argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostic {
    /// The output of `nvidia-smi`.
    NvidiaSmi,
    /// All containers.
    DockerPs,
    /// The current resource use of the containers.
    DockerStats,
    /// Docker's use of the disk.
    DockerDisk,
    /// The file systems.
    Disk,
    /// The host's memory.
    Memory,
    /// Processes of the host or of a container.
    Processes,
    /// The gateway's own health report.
    GatewayHealth,
    /// The gateway's metrics.
    GatewayMetrics,
    /// The models that the model server serves.
    VllmModels,
    /// The model server's metrics.
    VllmMetrics,
    /// Docker's journal.
    JournalDocker,
    /// The kernel's journal.
    JournalKernel,
}

impl Diagnostic {
    /// All diagnostics, in the order in which they are listed.
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

    /// Returns the name, for the operator and for the host.
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

    /// Returns a description for the operator.
    #[must_use]
    pub const fn shows(self) -> &'static str {
        match self {
            Self::NvidiaSmi => "the GPU: memory, load, temperature, programs",
            Self::DockerPs => "all containers, their state and image",
            Self::DockerStats => "CPU, memory and network of the containers that run",
            Self::DockerDisk => "the disk space of images, containers and volumes",
            Self::Disk => "file systems and their free space (df)",
            Self::Memory => "memory of the host in MiB (free)",
            Self::Processes => "programs by CPU, without their arguments; with --service those of a container",
            Self::GatewayHealth => "the gateway's own health report; ends with 1 unless the gateway is ready",
            Self::GatewayMetrics => "the gateway's counters and sums",
            Self::VllmModels => "which models the model server serves (/v1/models)",
            Self::VllmMetrics => "the model server's counters and sums",
            Self::JournalDocker => "the last lines of Docker's journal",
            Self::JournalKernel => "the last lines of the kernel: out of memory, GPU errors (Xid)",
        }
    }

    /// Returns whether the diagnostic can run in a service's container.
    #[must_use]
    pub const fn takes_service(self) -> bool {
        matches!(self, Self::Processes)
    }
}
