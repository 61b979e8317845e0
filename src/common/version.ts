// The version, written into the bundle when it is built; `dev` when run from source by the tests.
export const VERSION: string = process.env.MESHCTL_VERSION ?? "dev";
