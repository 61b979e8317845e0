// The one label of every object that is ours: `meshctl.io/installation: <namespace of the control plane>`. By it
// everything can be listed, and by its absence a CRD that another mesh brought is known.

export const INSTALLATION_LABEL = "meshctl.io/installation";
