# cmake -DSTYLE=... -DINPUT=... -DOUTPUT=... -P embed.cmake
file(READ ${STYLE} style)
configure_file(${INPUT} ${OUTPUT} @ONLY)
