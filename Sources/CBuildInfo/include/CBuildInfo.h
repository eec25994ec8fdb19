#ifndef SWIFTLET_BUILD_INFO_H
#define SWIFTLET_BUILD_INFO_H

/// The commit that was built; "unknown" outside of a git work tree. Package.swift asks the package manager for it.
const char* swiftlet_commit(void);

#endif
