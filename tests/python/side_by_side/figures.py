"""spikeplot: the numbers in what is drawn."""

import matplotlib
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from .cases import Differs, case  # noqa: E402


def drawn(moves):
    """Tells an animation that it was shown; else it warns when it is deleted."""
    moves._draw_was_started = True


def axes():
    plt.close("all")
    return plt.subplots()


@case("spikeplot.raster", draws=5)
def raster(snn, draw):
    _, ax = axes()
    found = snn.spikeplot.raster(
        draw.spikes(*draw.choice((30,), (20, 6))), ax, s=draw.number(1, 5), c="black", marker="|"
    )
    return [
        torch.tensor(found.get_offsets().data),
        torch.tensor(found.get_sizes()),
        type(found).__name__,
        found in ax.collections,
    ]


@case("spikeplot.raster", label="images")
def raster_of_images(snn, draw):
    raise Differs("A raster of images counts their pixels through")


@case("spikeplot.traces", draws=5)
def traces(snn, draw):
    axes()
    plt.clf()
    mem, spk = draw.normal(15, 9), draw.spikes(15, 9)
    dim = draw.choice((3, 3), (2, 2), (1, 4))
    options = {"spk": spk, "spk_height": draw.number(1, 5)} if draw.flag() else {}
    snn.spikeplot.traces(mem, dim=dim, titles=["a", "b"] if draw.flag() else None, **options)
    return [
        [torch.tensor(line.get_ydata()) for line in ax.lines] + [ax.get_title(), ax.axison] for ax in plt.gcf().axes
    ]


@case("spikeplot.spike_count", draws=5, label="still")
def spike_count(snn, draw):
    fig, ax = axes()
    options = {"num_steps": 25} if draw.flag() else {}
    snn.spikeplot.spike_count(
        draw.spikes(20, 4),
        fig,
        ax,
        list("abcd"),
        gridshader=draw.flag(),
        time_step=draw.choice(False, 0.001),
        **options,
    )
    bars = [torch.tensor(segments) for collection in ax.collections for segments in collection.get_segments()]
    dots = [torch.tensor(line.get_xydata()) for line in ax.lines]
    words = [ax.get_xlabel(), ax.get_ylabel(), [t.get_text() for t in ax.get_yticklabels()], list(ax.get_xlim())]
    return [bars, dots, words, [ax.spines[side].get_edgecolor()[3] for side in ("top", "right")]]


@case("spikeplot.spike_count", label="animated")
def spike_count_moves(snn, draw):
    fig, ax = axes()
    moves = snn.spikeplot.spike_count(draw.spikes(4, 3), fig, ax, list("abc"), animate=True, interpolate=2)
    frames = list(moves.new_frame_seq())
    drawn(moves)
    return [type(moves).__name__, len(frames)]


@case("spikeplot.animator", draws=2)
def animator(snn, draw):
    fig, ax = axes()
    moves = snn.spikeplot.animator(draw.spikes(5, 4, 3), fig, ax, **({"num_steps": 3} if draw.flag() else {}))
    frames = [
        [torch.tensor(artist.get_array().data) for artist in frame if hasattr(artist, "get_array")]
        for frame in moves.new_frame_seq()
    ]
    drawn(moves)
    return [type(moves).__name__, frames, [list(image.get_clim()) for image in ax.images]]


@case("spikeplot.Camera")
def camera(snn, draw):
    fig, ax = axes()
    film = snn.spikeplot.Camera(fig)
    counts = []
    for step in range(3):
        ax.plot([0, step])
        ax.text(0, 0, str(step))
        counts.append(len(film.snap()))
    moves = film.animate(interval=20)
    drawn(moves)
    return [counts, type(moves).__name__, len(list(moves.new_frame_seq()))]
