// Signatures, as the protocol's own documentation computes them.
import { expect, test } from "vitest";
import { signAws } from "./sign.ts";

test("an S3 request is signed as the protocol's documentation computes it", async () => {
  const headers = signAws({
    method: "GET",
    url: new URL("https://examplebucket.s3.amazonaws.com/test.txt"),
    payload: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    service: "s3",
    region: "us-east-1",
    keys: {
      id: "AKIAIOSFODNN7EXAMPLE",
      secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      token: undefined,
    },
    now: new Date("2013-05-24T00:00:00Z"),
  });
  expect(headers["x-amz-date"]).toBe("20130524T000000Z");
  expect(headers["authorization"]).toContain(
    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date,",
  );
});

test("queries and further headers are signed with the rest, in the order of their names", () => {
  const headers = signAws({
    method: "PUT",
    url: new URL("https://b.s3.amazonaws.com/k?uploadId=a%2Fb%20c&partNumber=2"),
    payload: "00",
    service: "s3",
    region: "us-east-1",
    keys: { id: "id", secret: "secret", token: "lent" },
    headers: { "x-amz-copy-source": "b/k" },
    now: new Date("2013-05-24T00:00:00Z"),
  });
  expect(headers).toMatchObject({ "x-amz-security-token": "lent", "x-amz-copy-source": "b/k" });
  expect(headers["authorization"]).toContain(
    "SignedHeaders=host;x-amz-content-sha256;x-amz-copy-source;x-amz-date;x-amz-security-token,",
  );
});

test("without keys a request goes out as it is", () => {
  const request = { method: "GET", url: new URL("https://b/"), payload: "", now: new Date(0) };
  expect(signAws({ ...request, service: "s3", region: "r", keys: undefined })).toEqual({});
});
