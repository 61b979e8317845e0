// Texts that somebody else wrote, kept to a length that logs, statuses and trailers can carry.

/** The text, or its beginning and an ellipsis: at most maxChars UTF-16 units. */
export function shorten(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1)}…`;
}
