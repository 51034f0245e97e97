// OpenPGP, to check signatures and for nothing else.
export { DetachedCheck, type DetachedOptions, type Signer } from "./detached.ts";
