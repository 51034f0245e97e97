// The one place that resolves paths inside a root directory: symbolic links and `..` never lead out of it, as in a chroot.
export interface ResolveOptions {
  /** Whether a symbolic link in last place is followed too. */
  readonly followLast: boolean;
}

/**
 * The host path that `path` means to a process whose root directory is `root`. What does not exist is taken as it is
 * written. Throws `PATH_INVALID` on symbolic link loops and NUL. Safe only while nobody else changes the tree.
 */
export function resolveInRoot(root: string, path: string, options: ResolveOptions): string {
  throw new Error(`not yet ${root} ${path} ${options}`);
}
