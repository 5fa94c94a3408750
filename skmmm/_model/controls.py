"""What controls do to the KPI, in the units of X."""

import torch


def control_slopes(network, scales):
    """Return KPI units per unit of each control by region, (E, R, n_controls)."""
    with torch.no_grad():
        control = network.values()["control"]
    control = control.expand(-1, network.sizes.n_regions, -1).numpy()
    return control * scales.kpi[:, None] / scales.control_scale
