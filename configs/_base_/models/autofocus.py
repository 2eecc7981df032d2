# AutoFocus: one more base for any detector. A branch of two classes learns which cells of the map of this stride show
# small objects; ../tta/autofocus_three_scales.py looks at these places only. Its loss in the log is loss_focus.
focus_head = dict(type="mmdetpre.FocusHead", featmap_stride=16, channels=256, sizes=(5, 64, 90), loss_weight=1.0)
