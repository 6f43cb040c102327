//! Directories that are moved, replaced, removed, or restored over.
