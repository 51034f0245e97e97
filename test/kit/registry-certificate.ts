// A certificate for loopback tests, signed by itself and good until the next century. Its key is public: it protects nothing.

export const testCertificate: { readonly key: string; readonly cert: string } = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5N7UN8r2pQDpl638
jL39sGi/mM0TB2RlQo0uFwqUFAuhRANCAARtpO1lguhTafSwryl/g4Vzb+OaeFMF
x+SbXUhcVj9phBvEVQfOXNXQNsk+FH4/D8Iv0AX3IU5HvqcFo48Xg9HM
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBrjCCAVSgAwIBAgIUHiMnj11iFlWZqOnhFaMKNSKbSFYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJa2lsbiB0ZXN0MCAXDTI2MTEyMTE0MTg0OFoYDzIxMjYxMDI4
MTQxODQ4WjAUMRIwEAYDVQQDDAlraWxuIHRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARtpO1lguhTafSwryl/g4Vzb+OaeFMFx+SbXUhcVj9phBvEVQfOXNXQ
Nsk+FH4/D8Iv0AX3IU5HvqcFo48Xg9HMo4GBMH8wHQYDVR0OBBYEFC0QmtvjEOv0
ujS8duHd9V+eXCKeMB8GA1UdIwQYMBaAFC0QmtvjEOv0ujS8duHd9V+eXCKeMA8G
A1UdEwEB/wQFMAMBAf8wLAYDVR0RBCUwI4cEfwAAAYIJbG9jYWxob3N0ghByZWdp
c3RyeS5leGFtcGxlMAoGCCqGSM49BAMCA0gAMEUCIQDp5XCuuBaLYEb/2y2QDFGl
i869q8S4vIIu4M/gp8aCZwIgFhP17fxHMtqN0thfhUls6GAFO1srUVzPmKzYr4J7
pTs=
-----END CERTIFICATE-----
`,
};
