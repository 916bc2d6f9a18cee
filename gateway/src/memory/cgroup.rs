//! Reads how much memory this process may use from cgroup v2 (`memory.max`) and v1 (`memory.limit_in_bytes`).
//!
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files>

use std::path::Path;

/// The budget in bytes if no cgroup limit is set.
const WITHOUT_LIMIT: usize = 512 << 20;
/// Least budget, in bytes; with less, hardly any batch could be read.
const LEAST: usize = 32 << 20;
/// Values from here on mean "no limit": cgroup v1 then writes the largest multiple of a page in 63 bits.
const UNLIMITED: u64 = 1 << 60;

/// Returns the default budget in bytes: half of the cgroup limit of this process, at least 32 MiB; 512 MiB without a
/// limit.
///
/// The other half is for memory that does not grow with requests, for the working memory of reading notes, and for
/// memory that the allocator has not returned yet.
#[must_use]
pub fn default_budget() -> usize {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit(Path::new("/sys/fs/cgroup"), &groups);
    limit.map_or(WITHOUT_LIMIT, |limit| (usize::try_from(limit).unwrap_or(usize::MAX) / 2).max(LEAST))
}

/// Returns the lowest limit in bytes of the process's groups, from its own up to the highest that it can see. `groups`
/// is the text of its `/proc/self/cgroup`.
fn limit(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        // `0::/path` is v2; `4:memory,hugetlb:/path` is v1.
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        // A container may see its path as `/../..`, which leads outside the tree that it can see. The root is used
        // then.
        let path = Path::new(if path.contains("..") { "" } else { path.trim_start_matches('/') });
        match controllers {
            "" => least(root, path, "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                least(&root.join("memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    });
    limits.min()
}

fn least(root: &Path, path: &Path, file: &str) -> Option<u64> {
    // In a container the path is often one of the host that does not exist inside. The root is then the container's
    // group.
    let folders = path.ancestors().map(|folder| root.join(folder));
    let read = |folder: std::path::PathBuf| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    folders.filter_map(read).filter(|&limit| limit < UNLIMITED).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_of_the_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let limit = |groups: &str| limit(root.path(), groups);
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit(""), None);
        write("service/memory.max", "max\n");
        assert_eq!(limit("0::/service\n"), None);
        write("service/one/memory.max", "1073741824\n");
        assert_eq!(limit("0::/service/one\n"), Some(1 << 30));
        write("service/memory.max", "536870912\n");
        assert_eq!(limit("0::/service/one\n"), Some(512 << 20));
        // A path of the host, as a container sees it.
        assert_eq!(limit("0::/../../docker/abc\n"), None);
        write("memory.max", "268435456\n");
        assert_eq!(limit("0::/docker/abc\n"), Some(256 << 20));
        write("memory/docker/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("12:cpu:/\n4:memory,hugetlb:/docker\n"), None);
        write("memory/docker/memory.limit_in_bytes", "134217728\n");
        assert_eq!(limit("12:cpu:/\n4:memory,hugetlb:/docker\n0::/\n"), Some(128 << 20));
    }
}
