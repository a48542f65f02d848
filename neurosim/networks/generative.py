"""Networks that make images: autoencoders, variational ones, and a generator taught by a discriminator."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.architectures.autoencoder import AutoencoderSpecification
from neurosim.networks.architectures.vae import VAESpecification
from neurosim.networks.asked import Task
from neurosim.networks.door import check_subject
from neurosim.networks.feedforward import check_pictures, n_channels, with_channel
from neurosim.networks.shared_parameters import refuse_halvings
from neurosim.runtime import as_seed, pick_device, torch_generator, torch_seeded, track
from neurosim.schema import InputError


class Encoder(nn.Sequential):
    """Convolutions that halve an image again and again, then a code."""

    def __init__(self, channels: tuple[int, ...], image_shape: tuple[int, ...], n_code: int) -> None:
        side = _side(image_shape, len(channels))
        layers: list[nn.Module] = []
        for before, after in pairwise((n_channels(image_shape), *channels)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels[-1] * side * side, n_code))


class Decoder(nn.Sequential):
    """A code, then convolutions that double an image again and again, to intensities in 0..1."""

    def __init__(self, channels: tuple[int, ...], image_shape: tuple[int, ...], n_code: int) -> None:
        side = _side(image_shape, len(channels))
        layers: list[nn.Module] = [
            nn.Linear(n_code, channels[-1] * side * side), nn.ReLU(), nn.Unflatten(1, (channels[-1], side, side))
        ]  # fmt: skip
        backwards = (*reversed(channels), n_channels(image_shape))
        for before, after in pairwise(backwards):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        super().__init__(*layers[:-1], nn.Sigmoid())


class Autoencoder(nn.Module):
    """Compresses images into a code and draws them again (https://doi.org/10.1126/science.1127647)."""

    def __init__(
        self, specification: AutoencoderSpecification, image_shape: tuple[int, ...], n_categories: int = 0
    ) -> None:
        super().__init__()
        self.encoder = Encoder(specification.channels, image_shape, specification.n_code)
        self.decoder = Decoder(specification.channels, image_shape, specification.n_code)
        self.recorded = ("encoder",)

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the shape of `images` (batch, [channel,] y, x), intensities in 0..1."""
        answer: Tensor = self.decoder(self.encoder(with_channel(images))).reshape(images.shape)
        return answer


class VAE(nn.Module):
    """Compresses images into a distribution of codes, from which new images are drawn (https://arxiv.org/abs/1312.6114)."""

    def __init__(self, specification: VAESpecification, image_shape: tuple[int, ...], n_categories: int = 0) -> None:
        super().__init__()
        self.n_code, self.image_shape = specification.n_code, image_shape
        self.encoder = Encoder(specification.channels, image_shape, 2 * specification.n_code)
        self.mean = nn.Identity()
        self.decoder = Decoder(specification.channels, image_shape, specification.n_code)
        self.recorded = ("mean",)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstructions, and mean and log variance of the codes; codes are drawn in training only."""
        mean, log_variance = self.encoder(with_channel(images)).chunk(2, dim=1)
        mean = self.mean(mean)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp() if self.training else mean
        return self.decoder(code).reshape(images.shape), mean, log_variance

    @torch.no_grad()
    def sample(self, n: int, rng: np.random.Generator | int = 0) -> np.ndarray:
        """Return `n` new images, drawn from the normal distribution of codes."""
        codes = torch.randn(n, self.n_code, generator=torch_generator(rng, "sample"))
        device = next(self.parameters()).device
        answer: np.ndarray = self.decoder(codes.to(device)).cpu().numpy().reshape(n, *self.image_shape)
        return answer


class GAN(nn.Module):
    """A generator of images and the discriminator that teaches it (https://arxiv.org/abs/1406.2661, convolutional as in
    https://arxiv.org/abs/1511.06434).

    Parameters
    ----------
    image_shape : ([channel,] y, x). channels : of each halving. n_code : numbers that an image is made from.

    Examples
    --------
    >>> ns.networks.GAN((8, 8), channels=(4,), n_code=3).sample(2).shape
    (2, 8, 8)
    """

    def __init__(self, image_shape: tuple[int, ...], *, channels: tuple[int, ...] = (32, 64), n_code: int = 32) -> None:
        super().__init__()
        self.n_code, self.image_shape = n_code, image_shape
        self.generator = Decoder(channels, image_shape, n_code)
        self.discriminator = nn.Sequential()
        for k, layer in enumerate(Encoder(channels, image_shape, 1)):
            self.discriminator.append(nn.LeakyReLU(0.2) if isinstance(layer, nn.ReLU) else layer)
            if isinstance(layer, nn.Conv2d) and k == 0:
                self.discriminator.append(nn.Dropout(0.3))
        self.recorded = ("discriminator.0",)

    def forward(self, images: Tensor) -> Tensor:
        """Return how real images look to the discriminator, logits (batch,)."""
        answer: Tensor = self.discriminator(with_channel(images))[:, 0]
        return answer

    def draw(self, codes: Tensor) -> Tensor:
        """Return images (batch, channel, y, x) of codes (batch, code)."""
        answer: Tensor = self.generator(codes)
        return answer

    @torch.no_grad()
    def sample(self, n: int, rng: np.random.Generator | int = 0) -> np.ndarray:
        """Return `n` new images."""
        self.eval()
        codes = torch.randn(n, self.n_code, generator=torch_generator(rng, "sample"))
        return self.draw(codes.to(next(self.parameters()).device)).cpu().numpy().reshape(n, *self.image_shape)


def train_gan(
    network: GAN,
    task: Task,
    *,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 5e-4,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> xr.Dataset:
    """Train generator and discriminator in turn, each against the other as it is now.

    Parameters
    ----------
    network : trained in place. task : its training images are used, its labels are not.
    epochs, batch_size, learning_rate : of both, with Adam. rng : seed of everything drawn, or a generator.
    device : "auto", "cpu" or "cuda". progress : show a bar.

    Returns
    -------
    Dataset along ``epoch``: ``generator_loss``, ``discriminator_loss``, ``fooled`` (share of made images taken for
    real).

    Raises
    ------
    InputError : images of another shape, or a loss that is no longer finite.

    Examples
    --------
    >>> digits = ns.tasks.classification_task(ns.load_digits()[:100])
    >>> gan = ns.networks.GAN((8, 8), channels=(4,), n_code=3)
    >>> found = ns.networks.train_gan(gan, digits, epochs=1, progress=False)
    >>> sorted(found.data_vars)
    ['discriminator_loss', 'fooled', 'generator_loss']
    """
    check_subject("train_gan", network, task)
    seed = as_seed(rng, "train_gan")
    if epochs < 1:
        raise InputError(f"train_gan: epochs = {epochs}; at least 1 is asked.")
    shape = next(iter(task.batches(0, 1, seed)))[0].shape[1:]
    if tuple(shape) != tuple(network.image_shape):
        raise InputError(f"train_gan: the network makes images {network.image_shape}, those of the task are {shape}.")
    where = pick_device(device)
    network.to(where)
    rows: list[list[float]] = []
    with torch_seeded(seed):
        optimizers = [
            torch.optim.Adam(part.parameters(), lr=learning_rate, betas=(0.5, 0.999))
            for part in (network.generator, network.discriminator)
        ]
        for epoch in track(range(epochs), "training GAN", progress=progress):
            network.train()
            found = [
                _gan_step(network, optimizers, with_channel(torch.from_numpy(images).to(where)))
                for images, _ in task.batches(epoch, batch_size, seed)
            ]
            rows.append(np.mean(found, axis=0).tolist())
            if not np.isfinite(rows[-1]).all():
                raise InputError(f"train_gan: a loss is no longer finite in epoch {epoch}; lower the learning_rate.")
    values = np.array(rows)
    names = ("generator_loss", "discriminator_loss", "fooled")
    return xr.Dataset({n: ("epoch", values[:, k]) for k, n in enumerate(names)}, coords={"epoch": np.arange(epochs)})


def _gan_step(network: GAN, optimizers: list[torch.optim.Adam], real: Tensor) -> list[float]:
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    made = network.draw(torch.randn(len(real), network.n_code, device=real.device))
    looks_real, looks_made = network(real), network(made.detach())
    losses = cross_entropy(looks_real, torch.full_like(looks_real, 0.9))
    losses = losses + cross_entropy(looks_made, torch.zeros_like(looks_made))
    optimizers[1].zero_grad()
    torch.autograd.backward(losses)
    optimizers[1].step()
    judged = network(made)
    loss = cross_entropy(judged, torch.ones_like(judged))
    optimizers[0].zero_grad()
    torch.autograd.backward(loss)
    optimizers[0].step()
    return [float(loss.detach()), float(losses.detach()), float((judged > 0).float().mean())]


def _side(image_shape: tuple[int, ...], halvings: int) -> int:
    check_pictures("build_network", image_shape, refuse_halvings, halvings)
    answer: int = image_shape[-1] // 2**halvings
    return answer
