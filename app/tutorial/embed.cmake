# cmake -DEXPERIMENTS=... -DTEMPLATE=... -DINPUT=... -DOUTPUT=... -P embed.cmake
# Two text files as string constants. The delimiter of the raw strings must not occur in them.
file(READ ${EXPERIMENTS} experiments)
file(READ ${TEMPLATE} template)
configure_file(${INPUT} ${OUTPUT} @ONLY)
