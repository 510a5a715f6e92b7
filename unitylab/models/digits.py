"""Two classifiers of handwritten digits (scikit-learn's `load_digits`, 1,797 images of 8 x 8),
trained in seconds. Needs scikit-learn (`pip install unitylab[notebooks]`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Digits:
    """Images (n, 1, 8, 8) float32 in [0, 1] and labels (n,), for training and for testing."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load() -> Digits:
    """The data, every fifth image kept for testing."""
    from sklearn.datasets import load_digits
    found = load_digits()
    images = (found.images / 16.0).astype("float32")[:, None]
    labels = found.target.astype("int64")
    test = np.arange(len(labels)) % 5 == 0
    return Digits(images[~test], labels[~test], images[test], labels[test])


def train_mlp(data: Digits, hidden: int = 128, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a network 64 -> hidden -> 10 with relu: w1 (64, hidden), b1, w2 (hidden, 10), b2,
    all float32."""
    from sklearn.neural_network import MLPClassifier
    model = MLPClassifier((hidden,), max_iter=60, random_state=seed, early_stopping=False,
                          tol=0.0, n_iter_no_change=60)
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops before it has converged, on purpose
        model.fit(data.train_images.reshape(-1, 64), data.train_labels)
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    return {k: np.ascontiguousarray(v, dtype="float32")
            for k, v in {"w1": w1, "b1": b1, "w2": w2, "b2": b2}.items()}


def train_cnn(data: Digits, epochs: int = 12, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a network conv 3x3 (8 channels), relu, pool 2, conv 3x3 (16), relu, pool 2, linear
    10: c1 (8, 1, 3, 3), b1 (8, 1, 1), c2 (16, 8, 3, 3), b2 (16, 1, 1), w (64, 10), b (10,)."""
    random = np.random.default_rng(seed)

    def weight(*shape, fan):
        return (random.standard_normal(shape) * np.sqrt(2 / fan)).astype("float32")

    p = {"c1": weight(8, 1, 3, 3, fan=9), "b1": np.zeros((8, 1, 1), "float32"),
         "c2": weight(16, 8, 3, 3, fan=72), "b2": np.zeros((16, 1, 1), "float32"),
         "w": weight(64, 10, fan=64), "b": np.zeros(10, "float32")}
    speed = {k: np.zeros_like(v) for k, v in p.items()}
    n = len(data.train_labels)
    for epoch in range(epochs):
        rate = 0.1 * (1 - epoch / epochs) + 0.01
        order = random.permutation(n)
        for start in range(0, n, 32):
            pick = order[start:start + 32]
            slopes = _gradients(p, data.train_images[pick], data.train_labels[pick])
            for k in p:
                speed[k] = 0.9 * speed[k] - rate * slopes[k]
                p[k] = p[k] + speed[k]
    return {k: np.ascontiguousarray(v, dtype="float32") for k, v in p.items()}


def cnn_logits(p: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The network in NumPy: (n, 1, 8, 8) -> (n, 10) before softmax."""
    return _forward(p, images)[-1]


def mlp_logits(p: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The network in NumPy: (n, 64) -> (n, 10) before softmax."""
    return np.maximum(images @ p["w1"] + p["b1"], 0) @ p["w2"] + p["b2"]


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose largest output is the right one."""
    return float((np.argmax(logits, -1) == labels).mean())


# --- training in NumPy ----------------------------------------------------------------------

def _windows(x: np.ndarray) -> np.ndarray:
    """The 3 x 3 neighbourhoods of each pixel: (n, c, h, w) -> (n, h, w, c * 9)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    found = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return found.transpose(0, 2, 3, 1, 4, 5).reshape(*found.shape[:1], *x.shape[2:], -1)


def _convolve(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    columns = _windows(x)
    out = columns @ weight.reshape(len(weight), -1).T
    return out.transpose(0, 3, 1, 2), columns


def _pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each 2 x 2 square, and where it was."""
    n, c, h, w = x.shape
    squares = x.reshape(n, c, h // 2, 2, w // 2, 2)
    top = squares.max((3, 5))
    return top, squares == top[:, :, :, None, :, None]


def _forward(p, images):
    a1, col1 = _convolve(images, p["c1"])
    h1, at1 = _pool(np.maximum(a1 + p["b1"], 0))
    a2, col2 = _convolve(h1, p["c2"])
    h2, at2 = _pool(np.maximum(a2 + p["b2"], 0))
    flat = h2.reshape(len(images), -1)
    return col1, h1, at1, col2, h2, at2, flat, flat @ p["w"] + p["b"]


def _gradients(p, images, labels) -> dict[str, np.ndarray]:
    """The slopes of the mean cross entropy, by back-propagation."""
    col1, h1, at1, col2, h2, at2, flat, logits = _forward(p, images)
    e = np.exp(logits - logits.max(1, keepdims=True))
    d = e / e.sum(1, keepdims=True)
    d[np.arange(len(labels)), labels] -= 1
    d /= len(labels)
    out = {"w": flat.T @ d, "b": d.sum(0)}
    d2 = _unpool((d @ p["w"].T).reshape(h2.shape) * (h2 > 0), at2)
    out["c2"], out["b2"] = _weight_slopes(d2, col2, p["c2"].shape)
    d1 = _unpool(_back(d2, p["c2"]) * (h1 > 0), at1)
    out["c1"], out["b1"] = _weight_slopes(d1, col1, p["c1"].shape)
    return out


def _unpool(d: np.ndarray, at: np.ndarray) -> np.ndarray:
    n, c, h, _, w, _ = at.shape
    return (d[:, :, :, None, :, None] * at).reshape(n, c, 2 * h, 2 * w)


def _weight_slopes(d: np.ndarray, columns: np.ndarray, shape):
    rows = d.transpose(0, 2, 3, 1).reshape(-1, d.shape[1])
    return ((rows.T @ columns.reshape(len(rows), -1)).reshape(shape),
            rows.sum(0).reshape(-1, 1, 1))


def _back(d: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The slope with respect to a convolution's input: a convolution with the flipped weight."""
    return _convolve(d, weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])[0]


@dataclass(frozen=True)
class Gallery:
    """Images side by side with what is said of them; a notebook shows it as a picture."""

    images: np.ndarray
    captions: tuple[str, ...]

    def _repr_html_(self) -> str:
        size, step = 6, 64
        parts = []
        for k, (image, caption) in enumerate(zip(self.images.reshape(-1, 8, 8), self.captions)):
            parts += [f'<rect x="{k * step + 8 + x * size}" y="{4 + y * size}" width="{size}" '
                      f'height="{size}" fill="#1f5fd0" fill-opacity="{image[y, x]:.2f}"/>'
                      for y in range(8) for x in range(8)]
            parts.append(f'<text x="{k * step + 32}" y="70" text-anchor="middle" font-size="13" '
                         f'fill="currentColor">{caption}</text>')
        width = step * len(self.captions)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="78" '
                f'font-family="sans-serif">{"".join(parts)}</svg>')

    def __repr__(self) -> str:
        return f"{len(self.captions)} images: {', '.join(self.captions)}"


def gallery(images: np.ndarray, captions) -> Gallery:
    """The first images, one for each caption. images (n, 1, 8, 8) or (n, 64) in [0, 1]."""
    captions = tuple(map(str, captions))
    return Gallery(np.asarray(images)[:len(captions)], captions)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
