"""Pictures of spikes on matplotlib: rasters, traces, spike counts, animations.

    fig, ax = plt.subplots()
    spikeplot.raster(spk, ax, s=1.5, c="black")         # spk: [T, N]
    anim = spikeplot.animator(spk_of_an_image, fig, ax)  # [T, H, W]

The arguments are snnTorch's. Every function draws into the axes it is given and returns what it drew. Matplotlib is imported when a
function is called, pandas never; matplotlib's global settings (rcParams) stay as they are, where snnTorch's spike_count changes five.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Sequence

import torch

from ._optional import needed

if TYPE_CHECKING:
    from matplotlib.animation import ArtistAnimation
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["Camera", "animator", "raster", "spike_count", "traces"]

INK = "#333F4B"
BLUE = "#007ACC"


def _plain(function: str, name: str, data: Any) -> torch.Tensor:
    """The data on the CPU, without a graph."""
    if not isinstance(data, torch.Tensor):
        raise TypeError(f"[{function}] {name} must be a tensor, got {type(data).__name__}")
    return data.detach().cpu()


def _steps(function: str, data: torch.Tensor, num_steps: int | bool, longer: bool = False) -> int:
    """How many time steps to show: all of them unless num_steps says fewer, or with `longer` more."""
    if num_steps is False or num_steps is None or num_steps == 0:
        return data.shape[0]
    if num_steps < 1 or (num_steps > data.shape[0] and not longer):
        raise ValueError(
            f"[{function}] num_steps must be between 1 and the {data.shape[0]} time steps of data, got {num_steps}"
        )
    return int(num_steps)


def raster(data: torch.Tensor, ax: Axes, **kwargs: Any) -> PathCollection:
    """Draws a point at every spike: time to the right, neurons upwards.

        spikeplot.raster(spk, ax, s=1.5, c="black")

    data: [T, N], or [T] for one neuron; further dimensions are counted through as neurons, so [T, H, W] shows H * W of them. Whatever
    is not zero is a spike, negative ones too. ax: where to draw. Further keywords go to matplotlib's scatter.

    Returns the points, a PathCollection; its offsets are (step, neuron)."""
    spikes = _plain("raster", "data", data)
    if spikes.dim() == 0:
        raise ValueError("[raster] data must have time as its first dimension, got a single number")
    step, neuron = torch.where(spikes.reshape(spikes.shape[0], -1) if spikes.numel() else spikes.new_zeros(0, 1))
    return ax.scatter(step.numpy(), neuron.numpy(), **kwargs)


def traces(
    data: torch.Tensor,
    spk: torch.Tensor | None = None,
    dim: tuple[int, int] = (3, 3),
    spk_height: float = 5,
    titles: Sequence[str] | None = None,
    fig: Figure | None = None,
) -> list[Line2D]:
    """Draws the first neurons' traces (membranes, say), each in axes of its own, with spikes riding on them.

        spikeplot.traces(mem, spk=spk, dim=(2, 3))

    data: [T, N] with at least rows * columns neurons. spk: [T, N], added as data + spk_height * spk. dim: rows and columns. titles:
    one for each axes; fewer will do. fig: where to draw, the current figure when None.

    The axes share the vertical scale and show no frame. Returns the lines, row by row."""
    pyplot = needed("traces", "matplotlib.pyplot")
    curves = _plain("traces", "data", data)
    rows, columns = dim
    if curves.dim() != 2 or curves.shape[1] < rows * columns:
        raise ValueError(
            f"[traces] data must be [T, N] with at least the {rows * columns} neurons of dim={dim}, got {tuple(curves.shape)}"
        )
    if spk is not None:
        curves = curves + spk_height * _plain("traces", "spk", spk)
    if fig is None:
        fig = pyplot.gcf()
    grid = fig.add_gridspec(rows, columns)
    lines: list[Line2D] = []
    for i in range(rows * columns):
        ax = fig.add_subplot(grid[i], sharey=lines[0].axes if lines else None)
        if titles is not None and i < len(titles):
            ax.set_title(titles[i])
        lines += ax.plot(curves[:, i].numpy())
        ax.axis("off")
    return lines


def animator(
    data: torch.Tensor,
    fig: Figure,
    ax: Axes,
    num_steps: int | bool = False,
    interval: float = 40,
    cmap: str = "plasma",
) -> ArtistAnimation:
    """Shows one image after the other, a frame per time step.

        anim = spikeplot.animator(spk, fig, ax)
        anim.save("spikes.gif")

    data: [T, H, W]. fig, ax: where to draw. num_steps: how many steps to show, all when False. interval: milliseconds between
    frames. cmap: the colours, which run from the smallest to the largest value of all of data.

    Returns matplotlib's ArtistAnimation. Keep it: what nobody keeps does not run."""
    images = _plain("animator", "data", data)
    if images.dim() != 3 or images.numel() == 0:
        raise ValueError(f"[animator] data must be [T, H, W] and not empty, got {tuple(images.shape)}")
    steps = _steps("animator", images, num_steps)
    low, high = images.min().item(), images.max().item()
    camera = Camera(fig)
    ax.axis("off")
    for image in images[:steps]:
        ax.imshow(image.numpy(), cmap=cmap, vmin=low, vmax=high)
        camera.snap()
    return camera.animate(interval=interval)


def spike_count(
    data: torch.Tensor,
    fig: Figure,
    ax: Axes,
    labels: Sequence[str],
    num_steps: int | bool = False,
    animate: bool = False,
    interpolate: int = 1,
    gridshader: bool = True,
    interval: float = 25,
    time_step: float | bool = False,
) -> ArtistAnimation | tuple[LineCollection, Line2D]:
    """Draws how often each output has spiked, as a bar with a dot at its end; or how it comes to that, as an animation.

        spikeplot.spike_count(spk[:, 0], fig, ax, labels=["cat", "dog"], time_step=1e-3)

    data: [T, C]. fig, ax: where to draw. labels: the names of the C outputs. num_steps: how many steps to count, all when False.
    animate: a frame shows the spikes before its step and a bar at the step; interpolate: frames for each step; interval:
    milliseconds between frames. gridshader: grey bands behind. time_step: seconds of a step, for the axis; steps when False.

    Returns the bars and the dots, or the ArtistAnimation. Only these axes are styled; rcParams stay as they are."""
    spikes = _plain("spike_count", "data", data)
    if spikes.dim() != 2:
        raise ValueError(f"[spike_count] data must be [T, C], got {tuple(spikes.shape)}")
    if len(labels) != spikes.shape[1]:
        raise ValueError(f"[spike_count] labels must be one for each of the {spikes.shape[1]} outputs, got {len(labels)}")
    if interpolate < 1:
        raise ValueError(f"[spike_count] interpolate must be 1 or more, got {interpolate}")
    steps = _steps("spike_count", spikes, num_steps, longer=True)
    ax.set_xlim(0, steps)
    _style(ax, labels, time_step)
    if gridshader:
        _shade(ax)
    if not animate:
        return _lollipops(ax, spikes[:steps].sum(dim=0))
    camera = Camera(fig)
    camera.skip()
    for frame in range(steps * interpolate):
        _lollipops(ax, spikes[: frame // interpolate].sum(dim=0))  # the spikes before this step
        ax.axvline(x=frame / interpolate, color="tab:orange", linewidth=3)
        camera.snap()
    return camera.animate(interval=interval)


def _lollipops(ax: Axes, counts: torch.Tensor) -> tuple[LineCollection, Line2D]:
    """A bar from 0 to each count and a dot at its end, the first output at height 1."""
    heights = range(1, len(counts) + 1)
    bars = ax.hlines(y=heights, xmin=0, xmax=counts.numpy(), color=BLUE, alpha=0.5, linewidth=8)
    (dots,) = ax.plot(counts.numpy(), heights, "o", markersize=8, color=BLUE, alpha=0.6)
    return bars, dots


def _style(ax: Axes, labels: Sequence[str], time_step: float | bool) -> None:
    """Names and colours of the axes of a spike count."""
    ax.autoscale(False, axis="x")
    ax.set_xlabel("Time [s]" if time_step else "Time Step", fontsize=15, fontweight="bold", color=INK)
    ax.set_ylabel("Labels", fontsize=15, fontweight="bold", color=INK)
    ax.tick_params(axis="both", which="major", labelsize=12, color=INK, labelcolor=INK)
    ax.set_yticks(range(1, len(labels) + 1), list(labels))
    for side, spine in ax.spines.items():
        spine.set_color(INK if side in ("bottom", "left") else "none")
        spine.set_linewidth(0.8)
    ax.spines["bottom"].set_position(("axes", -0.04))
    ax.spines["left"].set_position(("axes", 0.0))
    if time_step:
        ticks = _ticks_inside(ax)
        # Twelve digits hide what floating point adds to 3 * 1e-3.
        ax.set_xticks(ticks, [str(float(f"{tick * float(time_step):.12g}")) for tick in ticks])


def _ticks_inside(ax: Axes) -> list[float]:
    """The positions of the ticks within the limits of the horizontal axis."""
    low, high = ax.get_xlim()
    return [float(tick) for tick in ax.get_xticks() if low <= tick <= high]


def _shade(ax: Axes) -> None:
    """Grey bands behind the picture: every second interval between ticks, not the first."""
    low, high = ax.get_xlim()
    edges = [low, *(tick for tick in _ticks_inside(ax) if low < tick < high), high]
    for start, end in zip(edges[1::2], edges[2::2]):
        ax.axvspan(start, end, zorder=0, facecolor="lightgrey", alpha=0.7)


class Camera:
    """Makes an animation of whatever is drawn between snaps.

        camera = spikeplot.Camera(fig)
        for row in mem:
            ax.plot(row, color="black")
            camera.snap()
        anim = camera.animate(interval=40)

    A snap is a frame: all that has come into the figure's axes since the snap before. snap() returns the artists of that frame;
    animate() takes the arguments of matplotlib's ArtistAnimation after the artists, and returns one."""

    _KINDS = ("collections", "patches", "lines", "texts", "artists", "images")

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._seen: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._photos: list[list[Artist]] = []

    def _new_artists(self) -> list[Artist]:
        new: list[Artist] = []
        for i, ax in enumerate(self._figure.axes):
            legend = ax.get_legend()
            # A legend is not among the artists of its axes unless it is added; the next legend would take its place.
            if legend is not None and legend in ax.artists:
                new.append(legend)
            elif legend is not None:
                ax.add_artist(legend)
            for kind in self._KINDS:
                artists = list(getattr(ax, kind))[self._seen[i, kind] :]
                self._seen[i, kind] += len(artists)
                new += artists
        return new

    def skip(self) -> None:
        """Leaves out of the next frame what is there already: it stays in the background of all frames."""
        self._new_artists()

    def snap(self) -> list[Artist]:
        """Takes a frame and returns its artists."""
        photo = self._new_artists()
        self._photos.append(photo)
        return photo

    def animate(self, *args: Any, **kwargs: Any) -> ArtistAnimation:
        """The animation of all frames; arguments as of ArtistAnimation (interval, repeat ...)."""
        animation = needed("animate", "matplotlib.animation")
        result: ArtistAnimation = animation.ArtistAnimation(self._figure, self._photos, *args, **kwargs)
        return result
