// The admin port's table of contents: as text for /help and unknown paths, as a page for browsers.

export interface CommandParameter {
  readonly name: string;
  readonly help: string;
  readonly oneOf?: readonly string[];
}

export interface CommandSummary {
  /** It changes something: asks for POST. */
  readonly post: boolean;
  readonly help: string;
  readonly parameters: readonly CommandParameter[];
}

export function helpText(commands: ReadonlyMap<string, CommandSummary>): string {
  let text = "admin commands are:\n";
  for (const [path, { post, help, parameters }] of sorted(commands)) {
    text += `  ${path}${post ? " (POST)" : ""}: ${help}\n`;
    for (const { name, help: about, oneOf } of parameters) {
      text += `      ${name}: ${about}${oneOf === undefined ? "" : `; One of (${oneOf.join(", ")})`}\n`;
    }
  }
  return text;
}

/** A list of links; what changes something is a button. */
export function homePage(commands: ReadonlyMap<string, CommandSummary>): string {
  const rows = sorted(commands).map(([path, { post, help }]) => {
    const target = escapeHtml(path.slice(1) || ".");
    const entry = post
      ? `<form action="${target}" method="post"><button>${escapeHtml(path.slice(1))}</button></form>`
      : `<a href="${target}">${escapeHtml(path.slice(1) || "home")}</a>`;
    return `<tr><td>${entry}</td><td>${escapeHtml(help)}</td></tr>`;
  });
  return (
    '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>meshctl proxy admin</title>' +
    "<style>body{font-family:sans-serif}td{padding:.2em 1em}form{margin:0}</style></head>\n" +
    `<body>\n<table>\n<tr><th>Command</th><th>Description</th></tr>\n${rows.join("\n")}\n</table>\n</body>\n</html>\n`
  );
}

function sorted(commands: ReadonlyMap<string, CommandSummary>): [string, CommandSummary][] {
  return [...commands].sort(([a], [b]) => (a < b ? -1 : 1));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
