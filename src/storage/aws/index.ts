// Identities in AWS: where keys are found, and requests signed with them.
export { type AwsIdentity, createAwsIdentity } from "./credentials.ts";
export { awsRegion, s3Endpoint } from "./profiles.ts";
export type { AwsKeys, AwsWorld } from "./services.ts";
export { encodeAws, type SignedRequest, signAws } from "./sign.ts";
