// Archives that cases add, in base64: directory, set-uid file, hard link, links, implied directories, fifo, capability.
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";

export const archiveGzip: string =
  "H4sIAAAAAAACA+2YQU+DMBSAn8aTv4JfQFto6cnExMtMPJh48thBlzUyQkqn7N9bhs6Ay06WLfK+yyME0oSv7/U9YlIYSyAo1CMF3UfK0q/I+9gD" +
  "zN/gLBGcds9lkiUQCZiAbeOU9UvCPOnsr0ypA/vnUojed/Idsx//fk8M/UuephBR9B8cU0XK5mvzrm8BmWf+r5Utzpr/4/rPGOUCIjZFcZp5/pem" +
  "egu9Ric444fzfhyP+Pe7g0GUoP/gqGUDF+hfJNL7J9rlpFZN81Gg/0Dn/6YujS78V7a6cqTUanUG/2Jc/0XKsf+bpP574dj5zZfa1Dr0Gvv8/533" +
  "p+b/LPX1P8P8D05MYnL/rNqFVoW24fzTU/4lG+yFrv9jfv5v0X9whIxeHhaPT69xq5yzcaPzrTVuF+eqVktT+su7K4BruBm+h2fG/8BrnqT/P8z/" +
  "R+s/G9d/LvD/3zT+MQVmjd7Ubndp8z+VlCeY/wiCIAiCIAiCIH/JJ9bGcJAAKAAA";

/** The same, not compressed. */
export const archive: string = gunzipSync(Buffer.from(archiveGzip, "base64")).toString("base64");

/** A single file. */
export const archiveBzip2: string =
  "QlpoOTFBWSZTWdYuW7YAAHh7gMkQAARAAPeAAQBjJh4ACAggAFQ0mKGQ00aDNT0Ekmo9QGg0AH1LiSEEVIQi/qdpZm0IEMuZDTcTxICjgSRUgaH1" +
  "U5LXmOcTFg0/LGL3DCDs6vuREBgXckU4UJDWLlu2";

export const archiveXz: string =
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AGhdADmbSEfPsiwGGA76XW3kuJBYflp4Ui2nqIM7nEfnBstBEHbULGUtHy2vTKows/cbH4NuMSGw" +
  "/RjibNX8t6I59gOjzqiOmrLGPrABt/X0QBLD+lqUxlzN6+eW4papudP159J0yiwKbk8AACYcMMYUT16EAAGEAYBQAAAoM/H6scRn+wIAAAAABFla";
