"""Figure 1: images made by networks that saw digits: reconstructions, samples, and a map that organised itself.

Run: python analyses/generative/fig1_images.py [folder] (a minute on one core)
"""

import sys
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from neurosim import runtime, storage
from neurosim.networks import AutoencoderSpecification, VAESpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.generative import GAN, train_gan
from neurosim.networks.objectives import Reconstruction
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.som import SelfOrganisingMap, train_som
from neurosim.networks.training import train
from neurosim.plots.canvas import PAGE, figure_bytes, house_style, letter_panels, new_figure, write_below
from neurosim.plots.pictures import plot_stimuli
from neurosim.schema import as_stimuli
from neurosim.stimuli.images import load_digits
from neurosim.tasks.classification import classification_task

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SEED, N, SIDE = 0, 12, 9
OPTIONS = TrainingOptions(60, 64, 4e-3)


def compute() -> xr.Dataset:
    """Train all four; return pictures and errors on images never seen."""
    task = classification_task(load_digits(), rng=SEED)
    shown = torch.from_numpy(task.test.values[:N])
    pictures, errors = {"shown": shown.numpy()}, {}
    for name, specification in (("autoencoder", AutoencoderSpecification()), ("VAE", VAESpecification())):
        with runtime.torch_seeded(SEED):
            network = build_network(specification, task.image_shape, 0)
        history = train(network, task.reconstruction(), OPTIONS, objective=Reconstruction(0.1), rng=SEED)
        network.eval()
        with torch.no_grad():
            every = network(torch.from_numpy(task.test.values))
        made = (every[0] if isinstance(every, tuple) else every).numpy()
        pictures[name] = made[:N]
        errors[f"{name}_squared_error_a_pixel"] = float(((made - task.test.values) ** 2).mean())
        errors[f"{name}_variance_explained"] = float(history.test_accuracy)
    pictures["VAE samples"] = network.sample(N, rng=1)
    with runtime.torch_seeded(SEED):
        gan = GAN(task.image_shape)
    rivalry = train_gan(gan, task, epochs=120, rng=SEED)
    pictures["GAN samples"] = gan.sample(N, rng=1)
    errors["GAN_share_taken_for_real"] = float(rivalry.fooled[-10:].mean())
    errors |= nearest(gan.sample(500, rng=2), task.train.values, task.test.values)
    sheet = SelfOrganisingMap(64, SIDE, SIDE)
    organised = train_som(sheet, task, epochs=30, rng=SEED)
    errors["SOM_topographic_error"] = float(organised.test_topographic_error)
    errors["SOM_quantization_error"] = float(organised.test_quantization_error)
    data = {k.replace(" ", "_"): (("picture", "y", "x"), v) for k, v in pictures.items()}
    data["SOM"] = (("unit", "y", "x"), sheet.weights.numpy().reshape(-1, 8, 8))
    return xr.Dataset(data, attrs=errors)


def nearest(made: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Return how far made images are from the nearest training image, beside how far unseen real ones are."""

    def mean_distance(images: np.ndarray) -> float:
        apart = np.linalg.norm(images.reshape(-1, 1, 64) - train.reshape(1, -1, 64), axis=2)
        return float(apart.min(1).mean())

    return {"GAN_distance_to_nearest": mean_distance(made), "real_distance_to_nearest": mean_distance(test)}


def draw(results: xr.Dataset) -> object:
    """Draw rows of pictures, and the map."""
    told = results.attrs
    rows = {
        "shown": f"{N} of the test images, as shown",
        "autoencoder": f"autoencoder: {told['autoencoder_variance_explained']:.0%} of the variance of test images",
        "VAE": f"VAE: {told['VAE_variance_explained']:.0%} of the variance",
        "VAE_samples": "VAE, samples",
        "GAN_samples": f"GAN, samples ({told['GAN_share_taken_for_real']:.0%} of which its discriminator takes "
        "for real)",
    }
    figure = new_figure(PAGE, 3.4)
    grid = figure.add_gridspec(len(rows), 2, width_ratios=(1.75, 1))
    axes = [figure.add_subplot(grid[k, 0]) for k in range(len(rows))] + [figure.add_subplot(grid[:, 1])]
    for ax, (name, title) in zip(axes, rows.items(), strict=False):
        plot_stimuli(as_stimuli(results[name].values, dims=("stimulus", "y", "x")), ax, n_columns=N)
        ax.set_title(title, loc="left")
    plot_stimuli(as_stimuli(results["SOM"].values, dims=("stimulus", "y", "x")), axes[-1], n_columns=SIDE)
    axes[-1].set_title(f"self-organising map of {SIDE} x {SIDE} units", loc="left")
    axes[-1].set_anchor("N")
    letter_panels(axes, 6.5)
    write_below(
        figure,
        "Digits of scikit-learn, 8 x 8 pixels. F: what each unit stands for; the two best units of "
        f"{told['SOM_topographic_error']:.1%} of the test images are no neighbours.",
    )
    return figure


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    results = compute()
    content = {k: round(v, 4) for k, v in results.attrs.items()} | {"provenance": runtime.provenance()}
    storage.write_json(folder / "fig1_images.json", content, sort_keys=False)
    with house_style():
        storage.write_bytes(folder / "fig1_images.png", figure_bytes(draw(results))["png"])
    print({k: v for k, v in content.items() if k != "provenance"})


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent))
