# srtsink is the programme's way out: a box without it is no box, so whoever takes this layer wants it
# nooelint: oelint.vars.noncoreoverride
PACKAGECONFIG:append = " srt"
