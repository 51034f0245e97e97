// The base image is for another platform than asked for.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** InvalidBaseImagePlatform: the base image is for another platform than asked for. */
export const invalidBaseImagePlatform: Rule<[image: string, found: string, expected: string]> = {
  name: "InvalidBaseImagePlatform",
  description: "Base image platform does not match expected target platform",
  url: ruleUrl("invalid-base-image-platform"),
  message: (image, found, expected) =>
    `Base image ${image} was pulled with platform ${quote(found)}, expected ${quote(expected)} for current build`,
};
