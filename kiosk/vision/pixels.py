"""Converts OpenCV's types to ours, and holds the only function that cuts a face out of a picture."""

from __future__ import annotations

import cv2
import cv2.typing
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Image


def picture(mat: cv2.typing.MatLike) -> Image:
    """The result of an OpenCV function for a uint8 picture, with the right type and the same memory. (OpenCV's stubs
    promise any number type.)"""
    return np.asarray(mat, np.uint8)


def warped(image: Image, matrix: NDArray[np.float64], side: int) -> Image:
    """Transforms an image by a similarity (2 x 3, from the image's pixels): side x side, black outside.

    cv2.warpAffine computes each pixel from only four pixels of the image, however much the image is shrunk, so that a
    large face keeps the camera's noise. Therefore an image that is shrunk to a half or less is averaged first, by a
    whole number that leaves at least the result's resolution.
    """
    by = int(1 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-9))
    if by < 2:
        return picture(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR))
    left, top, right, bottom = _seen(matrix, side, by, image.shape[1], image.shape[0])
    width, height = (right - left) // by, (bottom - top) // by
    if min(width, height) < 1:
        return np.zeros((side, side, *image.shape[2:]), np.uint8)
    part = image[top : top + height * by, left : left + width * by]
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    # Pixel k of `small` is the mean of `by` pixels, whose centre is at k * by + (by - 1) / 2.
    corner = np.array([left, top]) + (by - 1) / 2
    onward = np.column_stack([matrix[:, :2] * by, matrix[:, :2] @ corner + matrix[:, 2]])
    return picture(cv2.warpAffine(small, onward, (side, side), flags=cv2.INTER_LINEAR))


def scaled_part(image: Image, part: tuple[float, float, float], side: int) -> Image:
    """A square of an image (left, top, side; from the middle of its first pixel to the middle of its last) as side x
    side pixels, black where it lies outside."""
    left, top, length = part
    scale = (side - 1) / length
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    return picture(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR))


def _seen(matrix: NDArray[np.float64], side: int, by: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the image that the result shows, with a small margin."""
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], np.float64)
    at = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T)
    low, high = np.floor(at.min(1)) - 2 * by, np.ceil(at.max(1)) + 2 * by
    (left, top), (right, bottom) = np.clip([low, high], 0, [width, height]).astype(int)
    return int(left), int(top), int(right), int(bottom)
