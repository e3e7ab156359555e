"""Independent pieces of straight-line code, printed in turn."""

from __future__ import annotations

from weft.codegen.interleave_lines import interleave


def test_pieces_take_turns() -> None:
    first = ["  %a1 = load float, ptr %p", "  %a2 = fmul float %a1, %k", "  store float %a2, ptr %q"]
    second = ["  %b1 = load float, ptr %r", "  %b2 = fmul float %b1, %k", "  store float %b2, ptr %s"]
    assert interleave([first, second]) == [line for pair in zip(first, second, strict=True) for line in pair]


def test_what_uses_another_piece_waits_for_it() -> None:
    first = ["  %a1 = add i64 %i, 1", "  %a2 = mul i64 %a1, %n", "  %a3 = mul i64 %a2, %a2"]
    second = ["  %b1 = sub i64 %a3, 1", "  store i64 %b1, ptr %p"]
    third = ["  %c1 = add i64 %i, 2"]
    lines = interleave([first, second, third])
    assert sorted(lines) == sorted(first + second + third)
    assert lines.index("  %b1 = sub i64 %a3, 1") > lines.index("  %a3 = mul i64 %a2, %a2")
    assert lines.index("  %c1 = add i64 %i, 2") == 1  # nothing holds this one up


def test_stack_slots_are_read_and_written_in_order() -> None:
    def piece(name: str) -> list[str]:
        return [
            f"  %{name}1 = fmul float %x, %y",
            f"  %{name}2 = load float, ptr %m3",
            f"  %{name}3 = fadd float %{name}2, %{name}1",
            f"  store float %{name}3, ptr %m3",
        ]

    lines = interleave([piece("a"), piece("b")])
    assert lines[:2] == [piece("a")[0], piece("b")[0]]
    assert [line for line in lines if "%m3" in line] == [*piece("a")[1::2], *piece("b")[1::2]]


def test_pieces_with_branches_stay_one_after_the_other() -> None:
    first = ["  %a1 = icmp slt i64 %i, 0", "  br i1 %a1, label %low, label %after", "low:", "  br label %after", "after:"]
    second = ["  %b1 = add i64 %i, 1"]
    assert interleave([first, second]) == first + second
