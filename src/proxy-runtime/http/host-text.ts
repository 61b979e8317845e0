// What may stand in Host and :authority.

// reg-name, IPv4 or bracketed IPv6 with an optional port; not empty, no user info (RFC 9110 §4.2.1, §4.2.4).
const HOST_TEXT = /^(?:\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::[0-9]{0,5})?$/;

/** Whether text may stand in Host; plain names are told by a short scan. */
export function isHost(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const plain = (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45 || code === 46;
    if (!plain) return HOST_TEXT.test(text);
  }
  return text.length > 0;
}

/** `host:port`, both there (RFC 9110 §9.3.6). */
export function isTunnelTarget(target: string): boolean {
  const port = /:([0-9]{1,5})$/.exec(target)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65535 && isHost(target);
}
