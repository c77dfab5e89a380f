"""What passes from step to step beside stocks: the inputs of fixed delays, and what samples hold."""

from __future__ import annotations

from string import Template

from .layout import Layout

_MEMORY = Template(
    """
; each DELAY FIXED shows its input of so many steps ago, where there was one
define internal void @recall(ptr noalias %ws, ptr noalias %history, i64 %k) nounwind {
entry:
  %k_real = sitofp i64 %k to double
  br label %delay
delay:
  %d = phi i64 [ 0, %entry ], [ %d2, %delay_done ]
  %d_more = icmp ult i64 %d, $delays
  br i1 %d_more, label %begin, label %done
begin:
  %p_out = getelementptr inbounds i64, ptr @delay_rows, i64 %d
  %out = load i64, ptr %p_out
  %p_steps = getelementptr inbounds i64, ptr @steps_rows, i64 %d
  %steps_at = load i64, ptr %p_steps
  %d_at = mul i64 %d, $W
  br label %lane
lane:
  %i = phi i64 [ 0, %begin ], [ %i2, %lane_done ]
  %s_at = add i64 %steps_at, %i
  %p_s = getelementptr inbounds double, ptr %ws, i64 %s_at
  %steps = load double, ptr %p_s
  %past = fsub double %k_real, %steps
  %there = fcmp oge double %past, 0.0
  br i1 %there, label %show, label %lane_done
show:
  %line = fptosi double %past to i64
  %l_at = mul i64 %line, $line
  %h_d = add i64 %l_at, %d_at
  %h_at = add i64 %h_d, %i
  %p_h = getelementptr inbounds double, ptr %history, i64 %h_at
  %value = load double, ptr %p_h
  %o_at = add i64 %out, %i
  %p_o = getelementptr inbounds double, ptr %ws, i64 %o_at
  store double %value, ptr %p_o
  br label %lane_done
lane_done:
  %i2 = add i64 %i, 1
  %i_more = icmp ult i64 %i2, $W
  br i1 %i_more, label %lane, label %delay_done
delay_done:
  %d2 = add i64 %d, 1
  br label %delay
done:
  ret void
}

; copies a row of the workspace
define internal void @copy_row(ptr %from, ptr %to) nounwind {
entry:
  br label %lane
lane:
  %i = phi i64 [ 0, %entry ], [ %i2, %lane ]
  %p_f = getelementptr inbounds double, ptr %from, i64 %i
  %p_t = getelementptr inbounds double, ptr %to, i64 %i
  %value = load double, ptr %p_f
  store double %value, ptr %p_t
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $W
  br i1 %more, label %lane, label %done
done:
  ret void
}

; the inputs of delays go into the history, and samples are held
define internal void @remember(ptr %ws, ptr %history, i64 %k) nounwind {
entry:
  %l_at = mul i64 %k, $line
  br label %delay
delay:
  %d = phi i64 [ 0, %entry ], [ %d2, %keep ]
  %d_more = icmp ult i64 %d, $delays
  br i1 %d_more, label %keep, label %sample
keep:
  %p_in = getelementptr inbounds i64, ptr @input_rows, i64 %d
  %in = load i64, ptr %p_in
  %p_from = getelementptr inbounds double, ptr %ws, i64 %in
  %d_at = mul i64 %d, $W
  %h_at = add i64 %l_at, %d_at
  %p_to = getelementptr inbounds double, ptr %history, i64 %h_at
  call void @copy_row(ptr %p_from, ptr %p_to)
  %d2 = add i64 %d, 1
  br label %delay
sample:
  %c = phi i64 [ 0, %delay ], [ %c2, %hold ]
  %c_more = icmp ult i64 %c, $samples
  br i1 %c_more, label %hold, label %done
hold:
  %p_sample = getelementptr inbounds i64, ptr @sample_rows, i64 %c
  %sample_at = load i64, ptr %p_sample
  %p_shown = getelementptr inbounds double, ptr %ws, i64 %sample_at
  %p_held = getelementptr inbounds i64, ptr @held_rows, i64 %c
  %held_at = load i64, ptr %p_held
  %p_kept = getelementptr inbounds double, ptr %ws, i64 %held_at
  call void @copy_row(ptr %p_shown, ptr %p_kept)
  %c2 = add i64 %c, 1
  br label %sample
done:
  ret void
}
"""
)


def memory_text(layout: Layout, width: int) -> str:
    """The functions `@recall` and `@remember`, which the loop over time steps calls before and after each step."""
    rows = {
        "delay_rows": [layout.row[cell] for cell in layout.delay_input],
        "input_rows": list(layout.delay_input.values()),
        "steps_rows": list(layout.delay_steps.values()),
        "sample_rows": [layout.row[cell] for cell in layout.held],
        "held_rows": list(layout.held.values()),
    }
    lists = [
        f"@{name} = private unnamed_addr constant [{len(each)} x i64] [{', '.join(f'i64 {row * width}' for row in each)}]"
        for name, each in rows.items()
    ]
    sizes = {
        "W": width,
        "delays": len(layout.delay_input),
        "line": len(layout.delay_input) * width,
        "samples": len(layout.held),
    }
    return "\n".join([*lists, _MEMORY.substitute(sizes)])
