// A pod's volumes as folders on the sandbox's tmpfs: ConfigMaps, emptyDir, downward API, projected tokens, host paths.
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import type { ConfigMap, Container, DownwardItem, KeyToPath, Volume } from "../../manifests/kube-objects.ts";
import type { Mount } from "./container-launch.ts";
import { readPodField, type PodFacts } from "./pod-environment.ts";

export interface VolumeSources {
  readonly configMap: (name: string) => ConfigMap | undefined;
  /** A signed token of the pod's service account. */
  readonly mintToken: (audience: string, expirationSeconds: number) => Promise<string>;
}

interface TokenFile {
  readonly path: string;
  readonly audience: string;
  readonly expirationSeconds: number;
  owner: number;
}

/** A projected token is written anew when this part of its life is over, as kubelet does. */
const TOKEN_REFRESH_SHARE = 0.8;
/** setInterval takes 32 bits, and fires at once for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class PodVolumes {
  readonly #folder: string;
  readonly #facts: PodFacts;
  readonly #sources: VolumeSources;
  readonly #tokens = new Map<string, TokenFile[]>();
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(folder: string, facts: PodFacts, sources: VolumeSources) {
    this.#folder = folder;
    this.#facts = facts;
    this.#sources = sources;
  }

  /** Writes all volumes. @returns what is missing; then the pod can't start. */
  async write(): Promise<string[]> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    const problems: string[] = [];
    for (const volume of this.#facts.spec.volumes ?? []) problems.push(...(await this.#writeVolume(volume)));
    return problems;
  }

  /** The container's mounts. Token files become the property of the user that runs it. */
  mounts(container: Container, uid: number): Mount[] {
    return (container.volumeMounts ?? []).map((mount) => {
      const volume = this.#facts.spec.volumes?.find((each) => each.name === mount.name);
      for (const token of this.#tokens.get(mount.name) ?? []) {
        token.owner = uid;
        chownSync(token.path, uid, uid);
      }
      const base = volume?.hostPath?.path ?? this.#path(mount.name);
      const source = mount.subPath === undefined ? base : join(base, posix.normalize(`/${mount.subPath}`));
      if (!existsSync(source)) mkdirSync(source, { recursive: true, mode: 0o777 });
      // ConfigMaps and the like are read-only in Kubernetes whatever the mount says.
      const readOnly = mount.readOnly === true || (volume?.emptyDir === undefined && volume?.hostPath === undefined);
      return { source, target: mount.mountPath, isFile: statSync(source).isFile(), readOnly };
    });
  }

  remove(): void {
    for (const timer of this.#timers) clearInterval(timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(volume: string): string {
    return join(this.#folder, volume);
  }

  async #writeVolume(volume: Volume): Promise<string[]> {
    const folder = this.#path(volume.name);
    if (volume.hostPath !== undefined) return [];
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (volume.emptyDir !== undefined) {
      chmodSync(folder, 0o777);
      return [];
    }
    if (volume.configMap !== undefined) return this.#writeConfigMap(folder, volume.configMap.name ?? "", volume.configMap);
    if (volume.downwardAPI !== undefined) return this.#writeFields(folder, volume.downwardAPI.items ?? []);
    const problems: string[] = [];
    for (const source of volume.projected?.sources ?? []) {
      if (source.configMap !== undefined) problems.push(...this.#writeConfigMap(folder, source.configMap.name, source.configMap));
      if (source.downwardAPI !== undefined) problems.push(...this.#writeFields(folder, source.downwardAPI.items ?? []));
      if (source.serviceAccountToken !== undefined) {
        const { audience, expirationSeconds, path } = source.serviceAccountToken;
        await this.#writeToken(volume.name, join(folder, path), audience ?? "https://kubernetes.default.svc", expirationSeconds ?? 3600);
      }
    }
    return problems;
  }

  #writeConfigMap(
    folder: string,
    name: string,
    options: { readonly items?: readonly KeyToPath[]; readonly optional?: boolean; readonly defaultMode?: number },
  ): string[] {
    const map = this.#sources.configMap(name);
    if (map === undefined) return options.optional === true ? [] : [`ConfigMap ${name} not found`];
    const contents = new Map<string, string | Buffer>(Object.entries(map.data ?? {}));
    for (const [key, value] of Object.entries(map.binaryData ?? {})) contents.set(key, Buffer.from(value, "base64"));
    const items = options.items ?? [...contents.keys()].map((key): KeyToPath => ({ key, path: key }));
    const problems: string[] = [];
    for (const item of items) {
      const content = contents.get(item.key);
      if (content === undefined) problems.push(`ConfigMap ${name} has no key ${item.key}`);
      else writeVolumeFile(join(folder, posix.normalize(`/${item.path}`)), content, item.mode ?? options.defaultMode ?? 0o644);
    }
    return problems;
  }

  #writeFields(folder: string, items: readonly DownwardItem[]): string[] {
    const problems: string[] = [];
    for (const item of items) {
      const value = readPodField(this.#facts, item.fieldRef?.fieldPath ?? "");
      if (value === undefined) problems.push(`downward API item ${item.path}: unknown field ${item.fieldRef?.fieldPath ?? "(none)"}`);
      else writeVolumeFile(join(folder, posix.normalize(`/${item.path}`)), value, 0o644);
    }
    return problems;
  }

  async #writeToken(volume: string, path: string, audience: string, expirationSeconds: number): Promise<void> {
    const token: TokenFile = { path, audience, expirationSeconds, owner: 0 };
    this.#tokens.set(volume, [...(this.#tokens.get(volume) ?? []), token]);
    await this.#mint(token);
    const timer = setInterval(
      () => void this.#mint(token).catch(() => undefined),
      Math.min(expirationSeconds * TOKEN_REFRESH_SHARE * 1000, LONGEST_TIMER_MS),
    );
    this.#timers.push(timer.unref());
  }

  async #mint(token: TokenFile): Promise<void> {
    const text = await this.#sources.mintToken(token.audience, token.expirationSeconds);
    writeVolumeFile(`${token.path}.new`, text, 0o400);
    chownSync(`${token.path}.new`, token.owner, token.owner);
    renameSync(`${token.path}.new`, token.path);
  }
}

function writeVolumeFile(path: string, content: string | Buffer, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, content);
  chmodSync(path, mode);
}
