"""spikeplot: what the pictures are made of.

    python3 spikeplot_test.py

Ends with 77 and a reason where there is no matplotlib to draw with."""

import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

try:
    import matplotlib
except ImportError as error:
    print(f"skipped: this Python has no matplotlib ({error})")
    sys.exit(77)

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy
import torch

from rheobase import spikeplot


def some_spikes(*shape):
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(1)) < 0.3).float()


class Pictures(unittest.TestCase):
    def setUp(self):
        self.settings = dict(matplotlib.rcParams)
        self.fig, self.ax = plt.subplots()

    def tearDown(self):
        plt.close("all")
        self.assertEqual(dict(matplotlib.rcParams), self.settings, "global settings were changed")

    def assert_written(self, animation, frames):
        """Every frame is drawn and written."""
        from PIL import Image

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "a.gif"
            animation.save(file, writer="pillow")
            with Image.open(file) as image:
                self.assertEqual(image.n_frames, frames)


class Raster(Pictures):
    def test_a_point_at_every_spike(self):
        spk = some_spikes(11, 7)
        points = spikeplot.raster(spk, self.ax, s=2, c="black")
        self.assertIs(points.axes, self.ax)
        expected = [(t, n) for t in range(11) for n in range(7) if spk[t, n]]
        self.assertEqual([tuple(p) for p in points.get_offsets()], expected)
        self.assertEqual(list(points.get_sizes()), [2])

    def test_negative_spikes_are_drawn_too(self):
        points = spikeplot.raster(torch.tensor([[0.0, -1.0], [1.0, 0.0]]), self.ax)
        self.assertEqual(points.get_offsets().tolist(), [[0, 1], [1, 0]])

    def test_one_neuron(self):
        points = spikeplot.raster(torch.tensor([0, 1, 0, 1]), self.ax)
        self.assertEqual(points.get_offsets().tolist(), [[1, 0], [3, 0]])

    def test_images_are_counted_through(self):
        spk = some_spikes(5, 3, 4)
        points = spikeplot.raster(spk, self.ax, s=1.5)
        flat = spikeplot.raster(spk.flatten(1), self.ax)
        self.assertEqual(points.get_offsets().tolist(), flat.get_offsets().tolist())

    def test_nothing_to_draw(self):
        for shape in ((4, 3), (0, 3), (0,), (4, 0)):
            with self.subTest(shape=shape):
                self.assertEqual(len(spikeplot.raster(torch.zeros(shape), self.ax).get_offsets()), 0)

    def test_a_tensor_with_a_graph(self):
        self.assertEqual(
            len(spikeplot.raster(some_spikes(9, 2).requires_grad_() * 1, self.ax).get_offsets()), some_spikes(9, 2).sum()
        )

    def test_refuses_what_has_no_time(self):
        with self.assertRaisesRegex(ValueError, r"\[raster\] data must have time"):
            spikeplot.raster(torch.tensor(1.0), self.ax)
        with self.assertRaisesRegex(TypeError, r"\[raster\] data must be a tensor, got list"):
            spikeplot.raster([1, 0], self.ax)


class Traces(Pictures):
    def test_lines_carry_data_and_spikes(self):
        mem, spk = torch.randn(20, 7), some_spikes(20, 7)
        plt.figure()
        lines = spikeplot.traces(mem, spk=spk, dim=(2, 3), spk_height=4, titles=["a", "b"])
        self.assertEqual(len(lines), 6)
        for n, line in enumerate(lines):
            numpy.testing.assert_array_equal(line.get_ydata(), (mem + 4 * spk)[:, n].numpy())
            numpy.testing.assert_array_equal(line.get_xdata(), range(20))
            self.assertFalse(line.axes.axison)
            self.assertEqual(line.axes.get_ylim(), lines[0].axes.get_ylim())
        self.assertEqual([line.axes.get_title() for line in lines], ["a", "b", "", "", "", ""])
        self.assertEqual(plt.gcf().axes, [line.axes for line in lines])

    def test_draws_where_it_is_told(self):
        lines = spikeplot.traces(torch.randn(5, 4, requires_grad=True), dim=(2, 2), fig=self.fig)
        plt.figure()
        self.assertTrue(all(line.figure is self.fig for line in lines))

    def test_too_few_neurons(self):
        with self.assertRaisesRegex(
            ValueError, r"\[traces\] data must be \[T, N\] with at least the 9 neurons of dim=\(3, 3\), got \(5, 8\)"
        ):
            spikeplot.traces(torch.zeros(5, 8))


class Animator(Pictures):
    def test_a_frame_per_step(self):
        data = torch.randn(6, 3, 4)
        animation = spikeplot.animator(data, self.fig, self.ax, interval=50, cmap="gray")
        images = self.ax.images
        self.assertEqual(len(images), 6)
        for image, row in zip(images, data):
            numpy.testing.assert_array_equal(image.get_array(), row.numpy())
            self.assertEqual(image.get_clim(), (data.min().item(), data.max().item()))
            self.assertEqual(image.cmap.name, "gray")
        self.assertFalse(self.ax.axison)
        self.assert_written(animation, 6)

    def test_num_steps(self):
        self.assert_written(spikeplot.animator(torch.randn(6, 3, 4), self.fig, self.ax, num_steps=2), 2)

    def test_refusals(self):
        for data, steps, rule in (
            (torch.zeros(5, 3), False, r"data must be \[T, H, W\] and not empty, got \(5, 3\)"),
            (torch.zeros(0, 3, 3), False, r"got \(0, 3, 3\)"),
            (torch.zeros(5, 3, 3), 6, r"num_steps must be between 1 and the 5 time steps of data, got 6"),
        ):
            with self.subTest(rule=rule), self.assertRaisesRegex(ValueError, rf"\[animator\] .*{rule}"):
                spikeplot.animator(data, self.fig, self.ax, num_steps=steps)


class SpikeCount(Pictures):
    def setUp(self):
        super().setUp()
        self.spk = some_spikes(28, 3)
        self.labels = ["cat", "dog", "owl"]

    @staticmethod
    def lengths(bars):
        return [(start[0], end[0], end[1]) for start, end in bars.get_segments()]

    def test_bars_and_dots_are_the_counts(self):
        bars, dots = spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels)
        counts = self.spk.sum(0).tolist()
        self.assertEqual(self.lengths(bars), [(0, count, i + 1) for i, count in enumerate(counts)])
        self.assertEqual(dots.get_xdata().tolist(), counts)
        self.assertEqual(list(dots.get_ydata()), [1, 2, 3])
        self.assertEqual([label.get_text() for label in self.ax.get_yticklabels()], self.labels)
        self.assertEqual(self.ax.get_xlim(), (0, 28))
        self.assertEqual((self.ax.get_xlabel(), self.ax.get_ylabel()), ("Time Step", "Labels"))
        self.assertEqual(bars.get_linewidths(), [8])

    def test_num_steps_counts_the_first_steps_only(self):
        bars, _ = spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels, num_steps=10)
        self.assertEqual([end for _, end, _ in self.lengths(bars)], self.spk[:10].sum(0).tolist())
        self.assertEqual(self.ax.get_xlim(), (0, 10))

    def test_seconds(self):
        spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels, time_step=1e-3)
        self.assertEqual(self.ax.get_xlabel(), "Time [s]")
        self.assertEqual(
            [label.get_text() for label in self.ax.get_xticklabels()], ["0.0", "0.005", "0.01", "0.015", "0.02", "0.025"]
        )
        self.assertEqual(self.ax.get_xlim(), (0, 28))

    def test_bands_lie_between_every_second_pair_of_ticks(self):
        spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels)
        spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in self.ax.patches]
        self.assertEqual(spans, [(5, 10), (15, 20), (25, 28)])
        plain = self.fig.add_subplot()
        spikeplot.spike_count(self.spk, self.fig, plain, self.labels, gridshader=False)
        self.assertEqual(len(plain.patches), 0)

    def test_animation_counts_the_spikes_before_each_step(self):
        animation = spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels, num_steps=9, animate=True, interpolate=2)
        bars = self.ax.collections
        self.assertEqual(len(bars), 18)
        for frame, bar in enumerate(bars):
            self.assertEqual([end for _, end, _ in self.lengths(bar)], self.spk[: frame // 2].sum(0).tolist())
        scanner = [line.get_xdata()[0] for line in self.ax.lines if line.get_color() == "tab:orange"]
        self.assertEqual(scanner, [frame / 2 for frame in range(18)])
        self.assert_written(animation, 18)

    def test_draws_into_its_axes_only(self):
        _, other = plt.subplots()  # the current axes
        spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels, animate=True)._draw_was_started = True
        self.assertEqual((len(other.lines), len(other.collections), len(other.patches)), (0, 0, 0))

    def test_the_axis_may_be_longer_than_the_data(self):
        spikeplot.spike_count(self.spk, self.fig, self.ax, self.labels, num_steps=40)
        self.assertEqual(self.ax.get_xlim(), (0, 40))

    def test_refusals(self):
        for change, rule in (
            ({"data": self.spk[:, :, None]}, r"data must be \[T, C\], got \(28, 3, 1\)"),
            ({"labels": ["cat"]}, "labels must be one for each of the 3 outputs, got 1"),
            ({"num_steps": -1}, "num_steps must be between 1 and the 28 time steps of data, got -1"),
            ({"interpolate": 0}, "interpolate must be 1 or more, got 0"),
        ):
            given = {"data": self.spk, "fig": self.fig, "ax": self.ax, "labels": self.labels, **change}
            with self.subTest(rule=rule), self.assertRaisesRegex(ValueError, rf"\[spike_count\] {rule}"):
                spikeplot.spike_count(**given)


class CameraFrames(Pictures):
    def test_a_frame_is_what_came_since_the_last(self):
        camera = spikeplot.Camera(self.fig)
        frames = []
        for i in range(3):
            drawn = [*self.ax.plot([0, i]), self.ax.text(0, 0, str(i)), self.ax.axvspan(0, 1), self.ax.scatter([i], [i])]
            photo = camera.snap()
            self.assertEqual(set(photo), set(drawn))
            frames.append(photo)
        self.assertEqual(camera.snap(), [])
        self.assert_written(camera.animate(interval=10), 4)

    def test_several_axes(self):
        fig, (left, right) = plt.subplots(1, 2)
        camera = spikeplot.Camera(fig)
        (a,), (b,) = left.plot([1]), right.plot([2])
        self.assertEqual(camera.snap(), [a, b])
        (c,) = right.plot([3])
        self.assertEqual(camera.snap(), [c])
        camera.animate()._draw_was_started = True

    def test_legends_belong_to_their_frames(self):
        camera = spikeplot.Camera(self.fig)
        texts = []
        for i in range(3):
            (line,) = self.ax.plot([0, i])
            if i < 2:
                self.ax.legend([line], [f"line {i}"])
            (legend,) = [artist for artist in camera.snap() if isinstance(artist, matplotlib.legend.Legend)]
            texts.append(legend.get_texts()[0].get_text())
        self.assertEqual(texts, ["line 0", "line 1", "line 1"])
        self.assert_written(camera.animate(interval=10), 3)


class WithoutMatplotlib(unittest.TestCase):
    def test_the_error_names_the_package(self):
        program = (
            "import sys; sys.modules['matplotlib'] = None\n"
            "import torch\nfrom rheobase import spikeplot\n"
            "try: spikeplot.traces(torch.zeros(3, 9))\n"
            "except ModuleNotFoundError as error: print(error)\n"
        )
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertIn("[traces] needs the package matplotlib", run.stdout, run.stderr)


if __name__ == "__main__":
    warnings.simplefilter("error", DeprecationWarning)
    unittest.main(verbosity=2)
