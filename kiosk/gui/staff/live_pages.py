"""The pages with the live picture: the face of whoever signs in, the poses of an enrolment, and coming back."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from kiosk.domain.looks import Pose
from kiosk.domain.staff_views import ComeBack, LookHere, Posing
from kiosk.domain.staffing import Again, SkipPose
from kiosk.gui import icons, theme
from kiosk.gui.look import Look
from kiosk.gui.sizes import Letters
from kiosk.gui.staff.parts import Ask, Mirror, key, said
from kiosk.gui.toolkit.fitting import Fitted
from kiosk.gui.toolkit.page import Label, Page
from kiosk.gui.words import Icon


class LivePage(Page):
    """The live picture beside an instruction in large letters, and what is wrong just now."""

    def __init__(self, look: Look, title: str) -> None:
        super().__init__(look, title)
        self.mirror = Mirror(look)
        self.instruction = Fitted(look.measures.font_px(Letters.INSTRUCTION), bold=True)
        self.trouble = Fitted(look.measures.font_px(Letters.SECOND), ink=theme.FOCUS)
        self.beside = QVBoxLayout()
        self.beside.addWidget(self.instruction, 3)
        self.beside.addWidget(self.trouble, 2)
        self.poster = Label(look, "office.poster")
        self.poster.hide()
        self.beside.addWidget(self.poster)
        wide = not look.measures.portrait
        split = QBoxLayout(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        split.addWidget(self.mirror, 1)
        split.addLayout(self.beside, 1)
        self.body.addLayout(split, 1)

    def tell(self, instruction: str, trouble: object, share: float) -> None:
        """Changes what is said. `trouble`: of domain.coaching.Trouble, or None."""
        self.instruction.set_text(instruction)
        self.trouble.set_text("" if trouble is None else said(self.look.texts, "trouble", str(trouble)))
        self.mirror.set_share(share)


class LookPage(LivePage):
    """The camera looks for the face of whoever signs in."""

    def __init__(self, look: Look, view: LookHere) -> None:
        super().__init__(look, "office.staff")
        self.show_view(view)

    def show_view(self, view: LookHere) -> None:
        """Takes the next state."""
        self.tell(self.look.texts("office.look_here"), view.trouble, view.share)


class Ticks(QWidget):
    """One mark for each pose: taken, left out, asked for, or still to come; by shape, not by colour alone."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._view: Posing | None = None
        self.setFixedHeight(look.measures.px(7))

    def show_view(self, view: Posing) -> None:
        """Takes the next state."""
        self._view = view
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draws the marks."""
        if self._view is None:
            return
        progress, painter = self._view.progress, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pitch = min(self.width() / len(Pose), self.height() * 1.6)
        for place, pose in enumerate(Pose):
            centre = QPointF(self.width() / 2 + (place - (len(Pose) - 1) / 2) * pitch, self.height() / 2)
            side = self.height() * 0.9
            if pose in progress.taken:
                icons.draw(painter, Icon.TICK, centre, side, theme.ACCENT)
                continue
            painter.setPen(theme.FOCUS if pose is progress.asked else theme.QUIET)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            radius = side * (0.4 if pose is progress.asked else 0.15 if pose in progress.skipped else 0.28)
            painter.drawEllipse(centre, radius, radius)
        painter.end()


class PosesPage(LivePage):
    """The poses, one after another."""

    def __init__(self, look: Look, view: Posing, ask: Ask) -> None:
        super().__init__(look, "office.poses")
        self.ticks = Ticks(look)
        self.skip = key(look, "office.skip", lambda: ask(SkipPose()))
        self.again = key(look, "office.again", lambda: ask(Again()), primary=True)
        for part in (self.ticks, self.skip, self.again):
            self.beside.addWidget(part)
        self.show_view(view)

    def show_view(self, view: Posing) -> None:
        """Takes the next state."""
        p, texts = view.progress, self.look.texts
        self.ticks.show_view(view)
        self.skip.setVisible(view.failure is None and Pose.STRAIGHT in p.taken)
        self.again.setVisible(view.failure is not None)
        if view.failure is not None:
            self.tell(said(texts, "failure", view.failure), None, 0)
        else:
            self.tell("" if p.asked is None else said(texts, "pose", p.asked), p.trouble, p.held)


class BackPage(LivePage):
    """The person steps away, comes back, and must be recognised."""

    def __init__(self, look: Look, view: ComeBack, ask: Ask) -> None:
        super().__init__(look, "office.poses")
        checked = view.checked
        notes = [look.texts("office.few_poses", poses=checked.poses)]
        notes += [look.texts("office.look_alike")] * checked.look_alike
        self.notes = Label(look, plain="\n".join(notes))
        self.again = key(look, "office.again", lambda: ask(Again()), primary=True)
        self.beside.addWidget(self.notes)
        self.beside.addWidget(self.again)
        self.show_view(view)

    def show_view(self, view: ComeBack) -> None:
        """Takes the next state."""
        texts = self.look.texts
        self.again.setVisible(view.failure is not None)
        if view.failure is not None:
            self.tell(said(texts, "failure", view.failure), None, 0)
        elif view.away:
            self.tell(texts("office.come_back"), view.trouble, view.share)
        else:
            self.tell(texts("office.step_away"), None, 0)
