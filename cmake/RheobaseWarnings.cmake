# Warnings for everything of ours. RHEO_WERROR is on in our presets only: a user's newer compiler must not stop the build.
add_compile_options(-Wall -Wextra -Wconversion -Wshadow)
if(RHEO_WERROR)
  add_compile_options(-Werror)
endif()
