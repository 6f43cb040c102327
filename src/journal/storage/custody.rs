//! Who else can change a ledger: by the way to its directory, in the directory, or in its files.
//!
//! Whoever writes to one of these can rewrite a journal, hashes and all, have another directory found in the place of
//! this one, or have a file of ours lead to one of somebody else's. The rules are those of `ssh` and `sudo`:
//!
//! 1. *Trusted* are root, the user that this process runs as, and the groups that it runs with.
//! 2. *The way* is every directory from `/` to the ledger's own, and every symbolic link that is followed. Each belongs to
//!    somebody trusted, and nobody else may write to it. One exception, for directories such as `/tmp`: above the ledger's
//!    own, the sticky bit is enough, because it keeps names in the hands of their owners.
//! 3. *The files* of the ledger likewise.
//!
//! A group of ours that may write is told of, and no more: Kubernetes gives a volume to the group of a pod in this way
//! (`fsGroup`), and whoever gives a service a group, and the group a right, means it.
//!
//! The way is looked at from its beginning, and links are followed here and not by the system. So nobody who is not trusted
//! can have changed a step that was found in order. Not looked at: access control lists, but for what they show in the
//! rights of the group; and who a user is outside of a user namespace.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::process::{getegid, geteuid, getgroups};

use super::Identity;

/// The most symbolic links that are followed, as in Linux.
const LINKS_MAX: usize = 40;

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Who this process is, to files.
#[derive(Debug)]
pub(in crate::journal) struct Ourselves {
    user: u32,
    groups: Vec<u32>,
}

/// Who owns something, and who may write to it.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Rights {
    pub(in crate::journal) user: u32,
    pub(in crate::journal) group: u32,
    pub(in crate::journal) mode: u32,
}

/// What was found, a sentence each, with how to mend it.
#[derive(Debug, Default)]
pub(in crate::journal) struct Findings {
    /// What somebody untrusted can do.
    pub(in crate::journal) exposed: Vec<String>,
    /// What a group of ours can do.
    pub(in crate::journal) shared: Vec<String>,
}

/// The way to a directory.
#[derive(Debug)]
pub(in crate::journal) struct Way {
    pub(in crate::journal) findings: Findings,
    /// What it leads to, if that is there.
    pub(in crate::journal) end: Option<Identity>,
}

impl Ourselves {
    pub(in crate::journal) fn now() -> io::Result<Self> {
        let mut groups: Vec<_> = getgroups()?.iter().map(|group| group.as_raw()).collect();
        groups.extend([getegid().as_raw(), ROOT]);
        Ok(Self {
            user: geteuid().as_raw(),
            groups,
        })
    }

    pub(in crate::journal) fn user(&self) -> u32 {
        self.user
    }

    fn trusts(&self, user: u32) -> bool {
        user == ROOT || user == self.user
    }

    /// Looks at one thing.
    pub(in crate::journal) fn look(&self, path: &str, rights: Rights, found: &mut Findings) {
        let Rights { user, group, mode } = rights;
        let (us, bits) = (self.user, mode & 0o7777);
        if !self.trusts(user) {
            found.exposed.push(format!(
                "{path} belongs to user {user}, and this process runs as user {us} (`chown {us} {path}` mends it)"
            ));
        }
        if mode & OTHERS_WRITE != 0 {
            found.exposed.push(format!(
                "every user may write to {path} (mode {bits:04o}; `chmod o-w {path}` mends it)"
            ));
        }
        if mode & GROUP_WRITES == 0 || group == ROOT {
            return;
        }
        match self.groups.contains(&group) {
            true => found.shared.push(format!(
                "group {group}, with which this process runs, may write to {path} (mode {bits:04o}): `chmod g-w {path}` \
                 keeps it out"
            )),
            false => found.exposed.push(format!(
                "group {group} may write to {path} (mode {bits:04o}; `chmod g-w {path}` mends it)"
            )),
        }
    }

    /// Looks at the way to `path`, as far as it is there.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(in crate::journal) fn way(&self, path: &Path) -> io::Result<Way> {
        let mut findings = Findings::default();
        let (steps, end) = walk(path)?;
        for (step, metadata) in steps {
            let is_end = end.as_ref().is_some_and(|(end, _)| *end == step);
            let mut rights = Rights::of(&metadata);
            let keeps_names = rights.mode & STICKY != 0 && !is_end;
            // The mode of a link means nothing.
            if metadata.is_symlink() || keeps_names {
                rights.mode = 0;
            }
            self.look(&step.display().to_string(), rights, &mut findings);
        }
        let end = end.map(|(_, metadata)| Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        });
        Ok(Way { findings, end })
    }
}

impl Rights {
    pub(in crate::journal) fn of(metadata: &Metadata) -> Self {
        Self {
            user: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode(),
        }
    }
}

/// A directory or link on the way.
type Step = (PathBuf, Metadata);

/// Every step of the way from `/` to `path`, links included, and its end, if the way comes so far.
fn walk(path: &Path) -> io::Result<(Vec<Step>, Option<Step>)> {
    let mut steps = Vec::new();
    let mut at = (PathBuf::from("/"), fs::symlink_metadata("/")?);
    steps.push(at.clone());
    let mut ahead = names(&std::path::absolute(path)?);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        // What `at` is has been looked up without a link in it, so the way back is the one that the system takes.
        let next = match name.to_str() {
            Some("/") => PathBuf::from("/"),
            Some("..") => at.0.parent().unwrap_or(&at.0).to_owned(),
            _ => at.0.join(&name),
        };
        let metadata = match fs::symlink_metadata(&next) {
            Err(error) if is_not_there(&error) => return Ok((steps, None)),
            metadata => metadata?,
        };
        let step = (next, metadata);
        steps.push(step.clone());
        if step.1.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(io::Error::other("too many symbolic links lead to it"));
            }
            ahead.extend(names(&fs::read_link(&step.0)?));
        } else {
            at = step;
        }
    }
    Ok((steps, Some(at)))
}

/// The names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let components = path.components().rev();
    let components = components.filter(|it| *it != Component::CurDir);
    components.map(|it| it.as_os_str().to_owned()).collect()
}

fn is_not_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const US: u32 = 1000;
    const OURS: u32 = 100;

    fn found(user: u32, group: u32, mode: u32) -> (usize, usize) {
        let ourselves = Ourselves {
            user: US,
            groups: vec![OURS],
        };
        let mut found = Findings::default();
        ourselves.look("x", Rights { user, group, mode }, &mut found);
        (found.exposed.len(), found.shared.len())
    }

    #[test]
    fn trusted_are_root_this_user_and_its_groups() {
        for (user, group, mode, expected) in [
            (US, OURS, 0o700, (0, 0)),
            (US, 7, 0o755, (0, 0)),
            (ROOT, 7, 0o755, (0, 0)),
            (7, OURS, 0o700, (1, 0)),
            (US, OURS, 0o770, (0, 1)),
            (ROOT, OURS, 0o2775, (0, 1)),
            (US, ROOT, 0o775, (0, 0)),
            (US, 7, 0o770, (1, 0)),
            (US, OURS, 0o707, (1, 0)),
            (US, OURS, 0o1777, (1, 1)),
            (7, 7, 0o777, (3, 0)),
        ] {
            assert_eq!(
                found(user, group, mode),
                expected,
                "{user}:{group} {mode:o}"
            );
        }
    }

    #[test]
    fn the_way_has_every_link_and_ends_where_the_system_ends() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        symlink("../a", at("a/again")).unwrap();
        symlink(at("a/again/b/.."), at("absolute")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let (steps, end) = walk(&at("absolute/./again/b")).unwrap();
        let end = end.unwrap().0;
        assert_eq!(end, fs::canonicalize(at("absolute/again/b")).unwrap());
        for step in ["absolute", "a/again", "a/b", "a", ""] {
            let step = fs::canonicalize(place.path()).unwrap().join(step);
            assert!(steps.iter().any(|(it, _)| *it == step), "{step:?}");
        }
        assert!(walk(&at("a/b/missing/c")).unwrap().1.is_none());
        assert!(walk(&at("loop")).is_err());
    }
}
