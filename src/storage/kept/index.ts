// Named directories and files that outlive builds: what they are, when they were used, and removing them safely.
export * from "./kept.ts";
export * from "./named-locks.ts";
