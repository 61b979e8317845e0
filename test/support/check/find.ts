// What one check says about a state.
import assert from "node:assert/strict";
import type { Category } from "../../../src/commands/check/check-list.ts";
import { NotGathered } from "../../../src/commands/check/gathered.ts";

/** `result: message` of each thing found, such as `error: pod web-1.shop: …`. @param description of the check, or its beginning */
export function findings<State>(category: Category<State>, description: string, state: State): string[] {
  const check = category.checks.find((each) => each.description.startsWith(description)) ?? assert.fail(description);
  return check.find(state).map((each) => `${each.severity ?? check.severity}: ${each.message}`);
}

export function remedies<State>(category: Category<State>, description: string, state: State): string[] {
  const check = category.checks.find((each) => each.description.startsWith(description)) ?? assert.fail(description);
  return check.find(state).map((each) => each.remedy);
}

/** What a user without the permission gets. */
export const FORBIDDEN = { missing: new NotGathered("you lack the permission to list x", "kubectl auth can-i list x") };
