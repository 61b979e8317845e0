// Objects of the mesh API that nothing reads: a slip of the pen in a kind, or one of Istio's that this mesh lacks. The
// API server may well take them, and they would do nothing.
import { closestWord } from "../../common/closest-word.ts";
import { isMeshGroup, isMeshKind, MESH_KINDS } from "../../mesh-api/mesh-kinds.ts";
import { findObjects, isJson } from "./find-pods.ts";
import { ObjectPlaces, type ObjectReport, type ParsedFile } from "./manifest-files.ts";

/** One report for each, in the order of the file. */
export function reportUnreadKinds(file: ParsedFile): ObjectReport[] {
  return file.texts.flatMap((parsed) => {
    const places = new ObjectPlaces(file.name, parsed);
    return findObjects(parsed.document.value).flatMap(({ object, path }) => {
      const { apiVersion, kind } = object;
      if (typeof apiVersion !== "string" || typeof kind !== "string" || !isMeshGroup(apiVersion)) return [];
      const reason = whyUnread(apiVersion, kind);
      if (reason === undefined) return [];
      const name = isJson(object["metadata"]) ? object["metadata"]["name"] : undefined;
      const label = `${kind} ${typeof name === "string" ? name : "(no name)"}`;
      return [{ label, place: places.placeOf(path), outcome: "skipped", reason, warnings: [], isProblem: true }];
    });
  });
}

function whyUnread(apiVersion: string, kind: string): string | undefined {
  if (!isMeshKind(kind)) {
    const near = closestWord(kind, Object.keys(MESH_KINDS));
    const hint = near === undefined ? `it reads ${Object.keys(MESH_KINDS).join(", ")}` : `did you mean ${near}?`;
    return `this mesh reads no ${kind} of ${apiVersion}; ${hint}`;
  }
  const { group, versions } = MESH_KINDS[kind];
  if (versions.some((each) => apiVersion === `${group}/${each}`)) return undefined;
  return `this mesh reads no ${kind} of ${apiVersion}; write ${group}/${versions[0]}`;
}
