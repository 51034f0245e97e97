// Which addresses a proxy leads to.
import { expect, it } from "vitest";
import { isMachines } from "./addresses.ts";

it.each([
  "127.0.0.1",
  "127.8.9.1",
  "0.0.0.0",
  "169.254.169.254",
  "224.0.0.1",
  "255.255.255.255",
  "::1",
  "::",
  "0:0:0:0:0:0:0:1",
  "fe80::1",
  "fe80::1%eth0",
  "ff02::1",
  "fd00:ec2::254",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:a9fe:a9fe",
  "::127.0.0.1",
  "64:ff9b::169.254.169.254",
  "not an address",
])("keeps %s to the machine", (address) => {
  expect(isMachines(address)).toBe(true);
});

it.each([
  "8.8.8.8",
  "10.0.0.1",
  "192.168.1.1",
  "2001:db8::1",
  "fd12::1",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
])("leads to %s", (address) => {
  expect(isMachines(address)).toBe(false);
});
