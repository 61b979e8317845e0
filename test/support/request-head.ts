// A request head as a codec would hand it over.
import { HeaderList } from "../../src/proxy-runtime/http/header-list.ts";
import type { RequestHead } from "../../src/proxy-runtime/http/stream.ts";

export function requestHead(fields: Partial<Omit<RequestHead, "headers">> & { readonly headers?: readonly string[] } = {}): RequestHead {
  const { headers = [], ...rest } = fields;
  return {
    method: "GET",
    path: "/",
    authority: "a.test",
    scheme: "http",
    isAbsoluteForm: false,
    protocol: "HTTP/1.1",
    upgrade: "",
    contentLength: -1,
    headBytes: 40,
    ...rest,
    headers: HeaderList.of(headers),
  };
}
